_base_ = './default_runtime.py'

custom_hooks = [
    *_base_.custom_hooks,
    # warm-up, ramp of alpha and beta, freezing: none by default, as in the paper
    dict(type='AdversarialScheduleHook'),
    # warns of a discriminator that wins or collapses; skip=True lets one that wins wait
    dict(type='DiscriminatorBalanceHook'),
    # warns of a delta or epsilon that gives all joints one label
    dict(type='FakeLabelHook'),
]

# mmengine's pattern, and what is logged of the discriminators: one batch says little of a share
log_processor = dict(
    mean_pattern=r'.*(loss|time|data_time|grad_norm|acc_|score_|share_right|skipped).*',
)

# of several processes; tools/train.py finds it by itself, mmpose's own tools do not
model_wrapper_cfg = dict(type='NetworkDistributedDataParallel')
