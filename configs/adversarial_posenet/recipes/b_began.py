# Recipe B: one discriminator, an auto-encoder of the maps given the image, balanced as in BEGAN (Chou et al., 2017)
_base_ = './a_scaled-input.py'

model = dict(
    discriminators=dict(
        _delete_=True,
        coder=dict(
            type='MapAutoEncoder',
            channels=32,
            depth=3,
            norm_cfg=dict(type='GN', num_groups=8),
            loss=dict(type='BEGANLoss', gamma=0.5, lambda_k=1e-3),
        ),
    ),
    # lambda_G
    adversarial=dict(weights=dict(coder=1e-4)),
)
optim_wrapper = dict(pose=None, confidence=None, coder=dict(optimizer=dict(type='Adam', lr=8e-5)))
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'DiscriminatorBalanceHook']
