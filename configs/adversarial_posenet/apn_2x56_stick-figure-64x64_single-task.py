# Pose maps only, no discriminators
_base_ = './apn_2x56_stick-figure-64x64.py'

model = dict(backbone=dict(num_branches=1), head=dict(multi_task=False), discriminators=None)
optim_wrapper = dict(pose=None, confidence=None)
