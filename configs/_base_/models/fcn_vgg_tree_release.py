# Chu et al., CVPR 2016, as in the authors' code release: fc6 of 1024 channels, two 7x7 kernels per message, a separate
# branch for the background, tested on an image pyramid. Tree, types, sizes and in_channels of the head come from the
# config.
model = dict(
    type='StructuredPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        type='FCNVGG',
        fc6_channels=1024,
        fc6_norm_cfg=dict(type='BN'),
        # torchvision downloads it; without torchvision: the path of its file vgg16-397923af.pth
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    neck=dict(type='TreeMessagePassing', in_channels=1024, part_channels=128, preset='release', keep_input=True),
    head=dict(
        type='PartScoreHead',
        background='branch',
        shared_channels=1024,
        loss=dict(type='MaskedSoftmaxLoss', normalize='cells'),
    ),
    # The best-scoring pose of six image sizes wins, for 4.4 times the computation of a single size
    # (pyramid_scales=None).
    test_cfg=dict(flip_test=True, pyramid_scales=[2 ** (-level / 10) for level in range(6)]),
)
