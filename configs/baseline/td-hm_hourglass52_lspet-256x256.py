_base_ = [
    '../_base_/models/hourglass52.py',
    '../_base_/data/lspet_256x256.py',
    '../_base_/schedules/adam_210e.py',
]

model = dict(head=dict(decoder=_base_.codec))
