_base_ = [
    '../_base_/models/stacked_generator_small.py',
    '../_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    '../_base_/schedules/adam_6e_networks.py',
]

model = dict(
    head=dict(decoder=_base_.codec),
    # with a sigma of 2 the norm of a true map is twice as large
    adversarial=dict(epsilon=2.0),
)
randomness = dict(seed=0)
