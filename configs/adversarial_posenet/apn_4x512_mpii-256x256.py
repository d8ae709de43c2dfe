_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_230e.py',
]

model = dict(head=dict(decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
