# Structured feature learning for a CPU: one encoder-decoder stack of 64 channels at a quarter of the input size, and
# separable message kernels with 16 channels per part and direction. The tree comes from the config.
model = dict(
    type='StructuredPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type='StackedPoseGenerator', num_stacks=1, channels=64, depth=3, num_branches=1),
    neck=dict(type='TreeMessagePassing', in_channels=64, part_channels=16, preset='separable', keep_input=True),
    head=dict(
        type='PartScoreHead',
        # 26 parts, 16 channels for each of two directions
        in_channels=26 * 2 * 16,
        background='plain',
        shared_channels=64,
        loss=dict(type='MaskedSoftmaxLoss', normalize='cells'),
    ),
    test_cfg=dict(flip_test=True),
)
