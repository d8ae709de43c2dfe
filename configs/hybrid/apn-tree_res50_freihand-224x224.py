# Hands: mmpose's config of FreiHAND with messages along the tree of the data set's skeleton and discriminators.
# FreiHAND has no occlusion labels, so there are pose maps only.
_base_ = 'mmpose::hand_2d_keypoint/topdown_heatmap/freihand2d/td-hm_res50_8xb64-100e_freihand2d-224x224.py'

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

# 56 x 56 maps can be halved three times
discriminator = dict(depth=3)
model = dict(
    type='AdversarialPoseEstimator',
    # the last stage at a stride of 16, not 32, so that the maps have room for messages
    backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
    neck=dict(
        type='TreeMessagePassing',
        in_channels=2048,
        tree=dict(metainfo=dict(from_file='freihand2d.py')),
        part_channels=16,
        # the separable preset with 7 taps instead of 13: 48 pixels of the image in each direction
        transform=[
            dict(channels=4, kernel_size=1),
            dict(channels=4, kernel_size=(7, 1)),
            dict(channels=4, kernel_size=(1, 7)),
            dict(channels=16, kernel_size=1),
        ],
        out_joints=True,
    ),
    head=dict(
        _delete_=True,
        type='AdversarialHead',
        # 21 joints, 16 channels for each of two directions
        in_channels=21 * 2 * 16,
        out_channels=21,
        multi_task=False,
        # from a stride of 16 to one of 4
        deconv_out_channels=(256, 256),
        decoder=_base_.codec,
    ),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator', **discriminator),
        confidence=dict(type='ConfidenceDiscriminator', **discriminator),
    ),
    # delta is a share of the image side, since boxes of FreiHAND are whole images; a target map has a norm of 1.77
    # sigma
    adversarial=dict(alpha=1 / 220, beta=1 / 180, delta=0.05, epsilon=2.0),
)

optim_wrapper = dict(
    _delete_=True,
    constructor='NetworkOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=5e-4)),
    pose=dict(optimizer=dict(type='Adam', lr=1e-4)),
    confidence=dict(optimizer=dict(type='Adam', lr=1e-4)),
)
default_hooks = dict(checkpoint=dict(type='AtomicCheckpointHook'))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='FiniteLossHook'),
    dict(type='SafeCheckpointHook'),
    dict(type='AdversarialScheduleHook'),
    dict(type='DiscriminatorBalanceHook'),
    dict(type='FakeLabelHook'),
]
model_wrapper_cfg = dict(type='NetworkDistributedDataParallel')
