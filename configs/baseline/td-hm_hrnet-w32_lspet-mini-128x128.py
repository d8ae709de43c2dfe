_base_ = [
    '../_base_/models/hrnet_w32.py',
    '../_base_/dataloaders/lspet-mini_128x128.py',
    '../_base_/schedules/adam_16e.py',
]

model = dict(head=dict(decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
