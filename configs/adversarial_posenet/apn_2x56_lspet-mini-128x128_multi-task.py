# Pose and occlusion maps, no discriminators
_base_ = './apn_2x56_lspet-mini-128x128.py'

model = dict(discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
