# The schedule of the code release of Chu et al., CVPR 2016, by iterations of 16 images. It was best at 3,250.
_base_ = '../default_runtime.py'

train_cfg = dict(by_epoch=False, max_iters=15000, val_interval=250)

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=2e-3, momentum=0.9, weight_decay=5e-4),
    # Parts of parameters' names; of those found in a name the longest counts. Stages 0 to 4 of FCNVGG come from
    # ImageNet, what follows is new.
    paramwise_cfg=dict(
        custom_keys={
            'backbone.features': dict(lr_mult=1),
            'fc6': dict(lr_mult=10),
            'neck': dict(lr_mult=10),
            'head': dict(lr_mult=10),
            # kernels of the messages
            'kernels': dict(lr_mult=10, decay_mult=2),
            # of all that is new
            '.bias': dict(lr_mult=20),
        }
    ),
)
param_scheduler = [dict(type='StepLR', begin=0, step_size=5000, gamma=0.1, by_epoch=False)]

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=250, max_keep_ckpts=2))
log_processor = dict(by_epoch=False)

# Each rank samples its own background cells and drops its own channels. The seed is drawn unless --seed gives one;
# mmengine requires the key beside diff_rank_seed.
randomness = dict(seed=None, diff_rank_seed=True)

auto_scale_lr = dict(base_batch_size=16)
