# Schedule of the code release of Chu et al., CVPR 2016, in iterations of 16 images. The authors' best model is that of
# iteration 3,250.
_base_ = '../default_runtime.py'

train_cfg = dict(by_epoch=False, max_iters=15000, val_interval=250)

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=2e-3, momentum=0.9, weight_decay=5e-4),
    # Keys are parts of parameter names; the longest one that matches is used. Stages 0 to 4 of FCNVGG have ImageNet
    # weights, all other layers are new.
    paramwise_cfg=dict(
        custom_keys={
            'backbone.features': dict(lr_mult=1),
            'fc6': dict(lr_mult=10),
            'neck': dict(lr_mult=10),
            'head': dict(lr_mult=10),
            # message kernels
            'kernels': dict(lr_mult=10, decay_mult=2),
            # biases of the new layers
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
