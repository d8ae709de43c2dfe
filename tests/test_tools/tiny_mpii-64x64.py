# The smallest real training: a thin ResNet on the five persons of mpii-sample. Its normalisation is frozen and its
# images are not augmented, so that runs can be compared weight by weight.
_base_ = ['../../configs/_base_/default_runtime.py']

data_root = '{{$POSESTRUCTS_DATA:../shared/data}}/mpii-sample'
codec = dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)

model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8, strides=(1, 1, 1, 1), norm_eval=True),
    head=dict(
        type='HeatmapHead',
        in_channels=64,
        out_channels=16,
        deconv_out_channels=None,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=False),
)

crop = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
]
dataset = dict(
    type='MpiiDataset',
    data_root=data_root,
    data_mode='topdown',
    ann_file='test_mpii.json',
    data_prefix=dict(img='images/'),
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=[*crop, dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')], **dataset),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(pipeline=[*crop, dict(type='PackPoseInputs')], test_mode=True, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='PCKAccuracy', thr=0.5), dict(type='EPE')]
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=2, val_interval=1)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=1), logger=dict(interval=1))
