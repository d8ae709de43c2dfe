# adam_6e.py for models with discriminators: each network has an optimizer of its own, the discriminators with a fifth
# of the generator's learning rate
_base_ = '../adversarial_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=6, val_interval=2)

optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=1e-3)),
    pose=dict(optimizer=dict(type='Adam', lr=2e-4)),
    confidence=dict(optimizer=dict(type='Adam', lr=2e-4)),
)
# for all networks
param_scheduler = [
    dict(type='LinearLR', begin=0, end=300, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=6, T_max=6, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]

default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))

auto_scale_lr = dict(base_batch_size=16)
