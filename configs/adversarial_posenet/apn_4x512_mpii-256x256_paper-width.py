# apn_4x512 with discriminators of 512 channels, the width of all residuals in the paper
_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_230e.py',
]

model = dict(
    head=dict(decoder=_base_.codec),
    discriminators=dict(pose=dict(preset='paper'), confidence=dict(preset='paper')),
)
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
