# mmpose's hourglass (Law & Deng's variant of Newell et al., ECCV 2016), one stack
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type='HourglassNet', num_stacks=1),
    head=dict(
        type='CPMHead',
        in_channels=256,
        out_channels=14,
        num_stages=1,
        deconv_out_channels=None,
        has_final_layer=True,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
