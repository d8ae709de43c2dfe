_base_ = [
    '../_base_/models/hrnet_w32.py',
    '../_base_/dataloaders/stick-figure_64x64_quarter.py',
    '../_base_/schedules/adam_6e.py',
]

model = dict(head=dict(decoder=_base_.codec))
