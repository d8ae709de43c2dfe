# Generator of the recipes on synthetic figures: one stack of 56, trained without discriminators on 200,000 figures,
# each of them once
_base_ = [
    '../../_base_/models/stacked_generator_small.py',
    '../../_base_/dataloaders/stick-figure_64x64_occlusion.py',
    '../../_base_/adversarial_runtime.py',
]

model = dict(
    backbone=dict(num_stacks=1), head=dict(num_stacks=1, decoder=_base_.codec), discriminators=None, adversarial=None
)
# figures 1,000,000 to 1,199,999
train_dataloader = dict(dataset=dict(num_samples=200000))
train_cfg = dict(by_epoch=False, max_iters=6250, val_interval=6250)
optim_wrapper = dict(constructor='NetworkOptimWrapperConstructor', generator=dict(optimizer=dict(type='Adam', lr=2e-3)))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=6250, T_max=6250, eta_min=1e-5, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=500, by_epoch=False, max_keep_ckpts=1), logger=dict(interval=250))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
