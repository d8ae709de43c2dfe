# apn-tree_efficientnet-lite0 without structure: no messages, no occlusion maps, no discriminators
_base_ = './apn-tree_efficientnet-lite0_lspet-mini-128x128.py'

model = dict(
    neck=dict(necks=[part for part in _base_.model.neck.necks if part['type'] != 'ResidualMessagePassing']),
    head=dict(multi_task=False),
    discriminators=None,
)
optim_wrapper = dict(pose=None, confidence=None)
