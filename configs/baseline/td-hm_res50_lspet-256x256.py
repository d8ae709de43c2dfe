_base_ = [
    '../_base_/models/simple_baseline_res50.py',
    '../_base_/dataloaders/lspet_256x256.py',
    '../_base_/schedules/adam_210e.py',
]

model = dict(head=dict(decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
