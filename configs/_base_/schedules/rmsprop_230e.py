# Schedule of Adversarial PoseNet on MPII: RMSprop at 2.5e-4 without a drop. The learning rates of the discriminators
# and the batch size are not published.
_base_ = '../adversarial_runtime.py'

train_cfg = dict(by_epoch=True, max_epochs=230, val_interval=10)

optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
    pose=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
    confidence=dict(optimizer=dict(type='RMSprop', lr=2.5e-4)),
)
# For all networks; a dict of lists by network name is possible too. The warm-up is not in the paper: the first step of
# RMSprop is ten times the learning rate for every weight, whatever its gradient, after which the loss of the full-size
# generator grows more than a hundredfold.
param_scheduler = [dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False)]
