# The smallest adversarial training through the tools: synthetic figures, all networks narrow. Normalisation is by
# groups and images are not augmented, so that runs can be compared weight by weight.
_base_ = ['../../configs/_base_/default_runtime.py']

dataset_type = 'StickFigureDataset'
# named, for mmpose's tools that read it without building the data set
metainfo = dict(from_file='{{fileDirname}}/../../configs/_base_/datasets/lsp.py')
data_mode = 'topdown'
codec = dict(
    type='OcclusionHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1, normalize='torso', pair=(9, 2)
)
groups = dict(type='GN', num_groups=2)

model = dict(
    type='AdversarialPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type='StackedPoseGenerator', num_stacks=1, channels=16, depth=2, norm_cfg=groups),
    head=dict(type='AdversarialHead', in_channels=16, out_channels=14, norm_cfg=groups, decoder=codec),
    # unscaled maps: with scaled ones a change of rounding turns a ReLU of P within four steps, and runs part
    discriminators=dict(
        pose=dict(channels=8, depth=1, norm_cfg=groups, map_scale=1, pooling='global'),
        confidence=dict(channels=8, depth=1, norm_cfg=groups, pooling='global'),
    ),
    adversarial=dict(delta=0.5, epsilon=2.0),
    test_cfg=dict(flip_test=False),
)

crop = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        num_samples=8,
        image_size=64,
        pipeline=[*crop, dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')],
    ),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        num_samples=3,
        image_size=64,
        start_index=100,
        test_mode=True,
        pipeline=[*crop, dict(type='PackPoseInputs')],
    ),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='TorsoPCK', thr=0.2)]
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
optim_wrapper = dict(
    constructor='NetworkOptimWrapperConstructor',
    # eps: with the default the sign of a gradient that is only rounding would be a whole step
    generator=dict(optimizer=dict(type='RMSprop', lr=1e-3, eps=1e-2), clip_grad=dict(max_norm=50.0)),
    pose=dict(optimizer=dict(type='RMSprop', lr=5e-4, eps=1e-2)),
    confidence=dict(optimizer=dict(type='Adam', lr=2e-3, eps=1e-2), clip_grad=dict(max_norm=0.5)),
)
param_scheduler = dict(
    generator=[dict(type='MultiStepLR', milestones=[1, 2], gamma=0.1)],
    pose=[dict(type='ExponentialLR', gamma=0.5)],
    confidence=[],
)
default_hooks = dict(checkpoint=dict(interval=1), logger=dict(interval=1))
custom_hooks = [*_base_.custom_hooks, dict(type='EMAHook', momentum=0.1)]
