# one pass over 6,000 people
_base_ = ['../structured_feature/sfl-separable_gen64_stick-figure-64x64.py']

train_cfg = dict(max_epochs=1)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=1, T_max=1, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
train_dataloader = dict(dataset=dict(num_samples=6000))
