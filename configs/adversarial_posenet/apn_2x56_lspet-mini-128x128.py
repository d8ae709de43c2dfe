_base_ = [
    '../_base_/models/stacked_generator_small.py',
    '../_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    '../_base_/schedules/adam_6e_networks.py',
]

model = dict(
    head=dict(decoder=_base_.codec),
    # a target map with a sigma of 2 has twice the norm of one with a sigma of 1
    adversarial=dict(epsilon=2.0),
)
randomness = dict(seed=0)
