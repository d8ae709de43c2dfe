_base_ = [
    '../_base_/models/hourglass52.py',
    '../_base_/dataloaders/lspet_256x256.py',
    '../_base_/schedules/adam_210e.py',
]

model = dict(head=dict(decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
