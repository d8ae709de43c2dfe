# Pose and occlusion maps, no discriminators
_base_ = './apn_2x56_stick-figure-64x64.py'

model = dict(discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
