# Runtime of models with one optimizer: mmpose's default_runtime.py, written out, with the hooks of this project.
# adversarial_runtime.py repeats it for models with discriminators: a new hook goes into both files.
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

default_scope = 'mmpose'

# _scope_ is what mmengine adds where a config inherits mmpose's file
default_hooks = dict(
    timer=dict(_scope_='mmpose', type='IterTimerHook'),
    logger=dict(_scope_='mmpose', type='LoggerHook', interval=50),
    param_scheduler=dict(_scope_='mmpose', type='ParamSchedulerHook'),
    # writes each file atomically: a killed run resumes from the last complete checkpoint
    checkpoint=dict(_scope_='mmpose', type='AtomicCheckpointHook', interval=10),
    sampler_seed=dict(_scope_='mmpose', type='DistSamplerSeedHook'),
    # switched on by --show-dir; also draws occlusion maps and the scores of discriminators
    visualization=dict(_scope_='mmpose', type='StructureVisualizationHook', enable=False),
    badcase=dict(
        _scope_='mmpose', type='BadCaseAnalysisHook', enable=False, out_dir='badcase', metric_type='loss', badcase_thr=5
    ),
)

custom_hooks = [
    dict(type='SyncBuffersHook'),
    # stops training at a loss that is NaN or infinite, and names the loss
    dict(type='FiniteLossHook'),
    # keeps checkpoints loadable with weights_only=True
    dict(type='SafeCheckpointHook'),
    # logs images per second
    dict(type='ThroughputHook'),
    # reports after each epoch the samples that a data set left out
    dict(type='SkippedSamplesHook'),
    # shows a progress bar on a terminal
    dict(type='ProgressHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(_scope_='mmpose', type='LocalVisBackend')]
# draws occluded joints as rings
visualizer = dict(
    _scope_='mmpose',
    type='OcclusionLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
# read by tools/train.py; the flag --tensorboard sets it
tensorboard = False

log_processor = dict(_scope_='mmpose', type='LogProcessor', window_size=50, by_epoch=True, num_digits=6)
log_level = 'INFO'
load_from = None
resume = False

backend_args = dict(backend='local')

train_cfg = dict(by_epoch=True)
val_cfg = dict()
test_cfg = dict()
