# apn_2x256 with messages along the tree between the pose features of the last stack; nothing else differs
_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_230e.py',
]

model = dict(
    backbone=dict(num_stacks=2, channels=256),
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=256,
        tree=dict(from_file='mpii-16.py'),
        part_channels=32,
        preset='separable',
        in_index=(-1, 0),
    ),
    head=dict(in_channels=256, num_stacks=2, decoder=_base_.codec),
)
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
