# stacked_generator.py for a CPU: two stacks of 56 channels, three levels deep, discriminators of 32 channels, and the
# 14 joints of LSP
_base_ = './stacked_generator.py'

small = dict(channels=32, depth=3, norm_cfg=dict(type='GN', num_groups=8))
model = dict(
    backbone=dict(num_stacks=2, channels=56, depth=3),
    head=dict(in_channels=56, out_channels=14, num_stacks=2),
    discriminators=dict(pose=small, confidence=small),
)
