# MoveNet Lightning's features, pretrained on human pose, and pose and occlusion maps at a quarter of the image. The
# weights come from tools/model_converters/movenet_to_mmpose.py. The decoder comes from the config.
model = dict(
    type='AdversarialPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='MoveNetBackbone',
        arch='lightning',
        out_indices=(3,),
        init_cfg=dict(type='Pretrained', checkpoint='data/movenet/movenet-lightning.pth'),
    ),
    head=dict(type='AdversarialHead', in_channels=96, out_channels=14, hidden_channels=32),
    test_cfg=dict(flip_test=False),
)
