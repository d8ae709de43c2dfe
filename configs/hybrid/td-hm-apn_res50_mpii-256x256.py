# mmpose's config of ResNet-50 on MPII, with discriminators on its heatmaps
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_res50_8xb64-210e_mpii-256x256.py'

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

model = dict(
    type='AdversarialPoseEstimator',
    # alpha and beta belong to half the sum over the maps, KHW / 2 times their mean
    head=dict(loss=dict(loss_weight=16 * 64 * 64 / 2)),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator'),
        confidence=dict(type='ConfidenceDiscriminator'),
    ),
    # delta is a share of the longer side of the box, since the codec of mmpose has no torso; a target map has a norm of
    # 1.77 sigma
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
