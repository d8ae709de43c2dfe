# Adam over 4 epochs for the generator of a finished model: the backbone learns at 0.3 times the rate of the rest
_base_ = '../default_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=4)

optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(
        optimizer=dict(type='Adam', lr=2e-4), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3)))
    ),
)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=1, start_factor=0.05, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=4, T_max=4, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

auto_scale_lr = dict(base_batch_size=16)
