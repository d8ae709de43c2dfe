# Messages and pose maps; no occlusion maps, no discriminators
_base_ = './apn-tree_efficientnet-lite0_lspet-mini-128x128.py'

model = dict(head=dict(multi_task=False), discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
