# Adversarial PoseNet (Chen et al., ICCV 2017): four stacks of 512 channels that predict pose and occlusion maps, and
# two discriminators of one encoder-decoder each, 256 wide (preset='paper': 512). The decoder comes from the config, and
# so does out_channels for data sets without MPII's 16 joints.
model = dict(
    type='AdversarialPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type='StackedPoseGenerator', num_stacks=4, channels=512),
    head=dict(type='AdversarialHead', in_channels=512, out_channels=16, num_stacks=4),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator'),
        confidence=dict(type='ConfidenceDiscriminator'),
    ),
    # delta (a share of the person's size, see the codec) and epsilon (a target map has a norm of 1.77 sigma) are not
    # published; see docs/history-of-results.md
    adversarial=dict(alpha=1 / 220, beta=1 / 180, delta=0.2, epsilon=1.0),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
