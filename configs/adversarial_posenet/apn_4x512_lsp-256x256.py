_base_ = [
    '../_base_/models/stacked_generator.py',
    '../_base_/dataloaders/lsp-lspet-mpii_256x256_occlusion.py',
    '../_base_/schedules/rmsprop_250e.py',
]

model = dict(head=dict(out_channels=14, decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
