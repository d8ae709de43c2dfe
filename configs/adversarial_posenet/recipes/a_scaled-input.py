# Recipe A: P and C as in the paper, with maps and image of equal energy at the input of P
_base_ = [
    '../../_base_/models/movenet_lightning_tree.py',
    '../../_base_/dataloaders/lspet-mini_192x192_occlusion.py',
    '../../_base_/schedules/adam_4e_recipe.py',
]

# one epoch for the discriminators alone, then the four epochs of the control with its schedule
train_cfg = dict(max_epochs=5, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', begin=1, end=2, start_factor=0.05, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=5, T_max=4, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]

# narrow, as the generator is small; the logit of a joint is read where its map is high
small = dict(channels=32, depth=3, norm_cfg=dict(type='GN', num_groups=8), pooling='joint')
model = dict(
    backbone=dict(init_cfg=None),
    head=dict(decoder=_base_.codec),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator', map_scale='unit_rms', **small),
        confidence=dict(type='ConfidenceDiscriminator', map_scale='unit_rms', **small),
    ),
    # a target map with a sigma of 2 has twice the norm of one with a sigma of 1
    adversarial=dict(alpha=1 / 220, beta=1 / 180, delta=0.2, epsilon=2.0),
)
load_from = 'shipped://td-tree_movenet-lightning_lspet-mini-192x192'
randomness = dict(seed=0)
# at the generator's 2e-4, scores are still constant after their epoch alone
optim_wrapper = dict(
    pose=dict(optimizer=dict(type='Adam', lr=1e-3)),
    confidence=dict(optimizer=dict(type='Adam', lr=1e-3)),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='AdversarialScheduleHook', freeze=dict(generator=(0, 1))),
    dict(type='DiscriminatorBalanceHook'),
    dict(type='FakeLabelHook'),
]
# averages of the discriminators' values in the log
log_processor = dict(mean_pattern=r'.*(loss|time|data_time|grad_|acc_|score_|share_right|logit_|skipped).*')
model_wrapper_cfg = dict(type='NetworkDistributedDataParallel')
