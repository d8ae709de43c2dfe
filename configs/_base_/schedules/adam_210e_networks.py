# adam_210e.py for models with discriminators: each network has an optimizer of its own, the discriminators with a fifth
# of the generator's learning rate
_base_ = '../adversarial_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=210, val_interval=10)

optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=5e-4)),
    pose=dict(optimizer=dict(type='Adam', lr=1e-4)),
    confidence=dict(optimizer=dict(type='Adam', lr=1e-4)),
)
# for all networks
param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=210, milestones=[170, 200], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=512)
