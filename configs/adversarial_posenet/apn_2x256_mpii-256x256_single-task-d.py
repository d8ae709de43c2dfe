# Pose maps only, with both discriminators
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(backbone=dict(num_branches=1), head=dict(multi_task=False))
