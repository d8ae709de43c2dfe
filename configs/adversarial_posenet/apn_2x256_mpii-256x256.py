# half the stacks and half the width: the model of the ablation
_base_ = './apn_4x512_mpii-256x256.py'

model = dict(backbone=dict(num_stacks=2, channels=256), head=dict(in_channels=256, num_stacks=2))
