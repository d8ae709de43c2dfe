# adam_16e.py, shorter
_base_ = './adam_16e.py'

train_cfg = dict(max_epochs=6, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=300, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=6, T_max=6, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
