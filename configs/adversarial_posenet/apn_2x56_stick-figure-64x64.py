_base_ = [
    '../_base_/models/stacked_generator_small.py',
    '../_base_/dataloaders/stick-figure_64x64_occlusion.py',
    '../_base_/schedules/adam_2e_networks.py',
]

model = dict(head=dict(decoder=_base_.codec))
randomness = dict(seed=0)
