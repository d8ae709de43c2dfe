# adam_16e.py over 2 epochs
_base_ = '../default_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)

optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=2, T_max=2, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))

auto_scale_lr = dict(base_batch_size=16)
