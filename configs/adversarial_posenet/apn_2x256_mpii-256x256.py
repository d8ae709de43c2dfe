# Half the stacks and half the width of apn_4x512: the reference of the ablation
_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_230e.py',
]

model = dict(backbone=dict(num_stacks=2, channels=256), head=dict(in_channels=256, num_stacks=2, decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
