# Recipe E: discriminators that see poses, not the appearance of maps: P on maps that are drawn anew, with the image
# through layers of its own, and a discriminator of joint positions and limbs
_base_ = './a_scaled-input.py'

model = dict(
    discriminators=dict(
        pose=dict(input_maps='pose', redraw=True, image_stem=8),
        confidence=None,
        vector=dict(type='PoseVectorDiscriminator', tree=dict(metainfo=dict(from_file='lsp.py')), num_joints=14),
    ),
    # the hook sets the weights
    adversarial=dict(generator_loss='non_saturating', weights=dict(vector=1 / 180)),
)
optim_wrapper = dict(vector=dict(optimizer=dict(type='Adam', lr=1e-3)))
custom_hooks = [*_base_.custom_hooks, dict(type='GradientBudgetHook', share=0.05)]
