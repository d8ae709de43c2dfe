# The schedule of Adversarial PoseNet on MPII: RMSprop at 2.5e-4, and no drop is named. Learning rates of the
# discriminators and the batch size are not published. param_scheduler may be a list for all networks or a dict by name.
_base_ = '../adversarial_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=230, val_interval=10)

optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
    pose=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
    confidence=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
)
