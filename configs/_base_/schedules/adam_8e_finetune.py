# Adam over 8 epochs for a model that was trained before: the backbone learns at 0.3 times the rate of the rest; the
# test persons are scored once, at the end
_base_ = '../default_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=8, val_interval=8)

optim_wrapper = dict(
    optimizer=dict(type='Adam', lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))),
)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=300, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=8, T_max=8, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

auto_scale_lr = dict(base_batch_size=16)
