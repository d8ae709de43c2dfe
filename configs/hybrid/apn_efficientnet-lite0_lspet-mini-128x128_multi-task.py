# pose and occlusion maps, no messages, no discriminators
_base_ = './apn_efficientnet-lite0_lspet-mini-128x128.py'

model = dict(discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
