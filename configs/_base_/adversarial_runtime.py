# Runtime of models with discriminators: default_runtime.py with three more hooks, averages of the discriminators'
# values in the log, and a model wrapper for distributed training. Everything else is the
# same: a new hook goes into both files.
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

default_scope = 'mmpose'

default_hooks = dict(
    timer=dict(_scope_='mmpose', type='IterTimerHook'),
    logger=dict(_scope_='mmpose', type='LoggerHook', interval=50),
    param_scheduler=dict(_scope_='mmpose', type='ParamSchedulerHook'),
    checkpoint=dict(_scope_='mmpose', type='AtomicCheckpointHook', interval=10),
    sampler_seed=dict(_scope_='mmpose', type='DistSamplerSeedHook'),
    visualization=dict(_scope_='mmpose', type='StructureVisualizationHook', enable=False),
    badcase=dict(
        _scope_='mmpose', type='BadCaseAnalysisHook', enable=False, out_dir='badcase', metric_type='loss', badcase_thr=5
    ),
)

custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='FiniteLossHook'),
    dict(type='SafeCheckpointHook'),
    dict(type='ThroughputHook'),
    dict(type='SkippedSamplesHook'),
    dict(type='ProgressHook'),
    # warm-up and ramp of alpha and beta, freezing of networks; none by default, as in the paper
    dict(type='AdversarialScheduleHook'),
    # warns of a discriminator that wins or collapses; with skip=True a winning one is not updated
    dict(type='DiscriminatorBalanceHook'),
    # warns of a delta or epsilon that labels all joints alike
    dict(type='FakeLabelHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(_scope_='mmpose', type='LocalVisBackend')]
visualizer = dict(
    _scope_='mmpose',
    type='OcclusionLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
tensorboard = False

# mean_pattern is mmengine's, extended by the discriminators' values: shares of a single batch vary widely
log_processor = dict(
    _scope_='mmpose',
    type='LogProcessor',
    window_size=50,
    by_epoch=True,
    num_digits=6,
    mean_pattern=r'.*(loss|time|data_time|grad_norm|acc_|score_|share_right|skipped).*',
)
log_level = 'INFO'
load_from = None
resume = False

backend_args = dict(backend='local')

train_cfg = dict(by_epoch=True)
val_cfg = dict()
test_cfg = dict()

# tools/train.py finds the wrapper by itself, mmpose's own tools need the key
model_wrapper_cfg = dict(type='NetworkDistributedDataParallel')
