# mmpose's own config, model, head, data and all, with discriminators around its heatmaps
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_res50_8xb64-210e_mpii-256x256.py'

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

model = dict(
    type='AdversarialPoseEstimator',
    # alpha and beta are meant beside a sum over the maps, half of it: KHW / 2 times the mean
    head=dict(loss=dict(loss_weight=16 * 64 * 64 / 2)),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator'),
        confidence=dict(type='ConfidenceDiscriminator'),
    ),
    # delta is a share of the longer side of the box, as mmpose's codec knows no torso;
    # 1.77 sigma is the norm of a true map
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
