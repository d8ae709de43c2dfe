# Pose and occlusion maps, no discriminators
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
