# what apn-tree_efficientnet-lite0 is without structure: no messages, no occlusion maps, no discriminators
_base_ = './apn-tree_efficientnet-lite0_lspet-mini-128x128.py'

model = dict(neck=dict(necks=_base_.model.neck.necks[:2]), head=dict(multi_task=False), discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
