_base_ = [
    '../_base_/models/efficientnet_lite0.py',
    '../_base_/dataloaders/lspet-mini_128x128.py',
    '../_base_/schedules/adam_6e.py',
]

model = dict(head=dict(decoder=_base_.codec))
randomness = dict(seed=0)
