# apn_4x512 with messages along the tree between the pose features of the last stack; nothing else differs
_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_230e.py',
]

model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=512,
        tree=dict(from_file='mpii-16.py'),
        part_channels=32,
        preset='separable',
        in_index=(-1, 0),
    ),
    head=dict(decoder=_base_.codec),
)
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
