# Messages between part features, pose and occlusion maps, and both discriminators, for any backbone of mmpose. The
# backbone, in_channels of the neck and the codec come from the config, as do tree and joints unless they are MPII's.
model = dict(
    type='AdversarialPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    neck=dict(
        type='TreeMessagePassing',
        tree=dict(from_file='mpii-16.py'),
        part_channels=16,
        preset='separable',
        out_joints=True,
    ),
    # 16 joints, 16 channels for each of two directions
    head=dict(type='AdversarialHead', in_channels=16 * 2 * 16, out_channels=16, hidden_channels=256),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator'),
        confidence=dict(type='ConfidenceDiscriminator'),
    ),
    adversarial=dict(alpha=1 / 220, beta=1 / 180, delta=0.2, epsilon=1.0),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
