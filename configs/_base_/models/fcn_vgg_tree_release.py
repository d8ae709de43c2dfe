# Chu et al., CVPR 2016, in the widths of the authors' code release: fc6 of 1024 channels, two 7x7 kernels a message,
# the background from a branch of its own. Tree, types, sizes and in_channels of the head come from the config.
model = dict(
    type='StructuredPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        type='FCNVGG',
        fc6_channels=1024,
        fc6_norm_cfg=dict(type='BN'),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    neck=dict(type='TreeMessagePassing', in_channels=1024, part_channels=128, preset='release', keep_input=True),
    head=dict(
        type='PartScoreHead',
        background='branch',
        shared_channels=1024,
        loss=dict(type='MaskedSoftmaxLoss', normalize='cells'),
    ),
    test_cfg=dict(flip_test=True),
)
