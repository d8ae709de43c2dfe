# from scratch, as td-hm_res18
_base_ = [
    '../_base_/models/simple_baseline_res18.py',
    '../_base_/dataloaders/lspet-mini_128x128.py',
    '../_base_/schedules/adam_16e.py',
]

model = dict(backbone=dict(depth=50), head=dict(in_channels=2048, decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
