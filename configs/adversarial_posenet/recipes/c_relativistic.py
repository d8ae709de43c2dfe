# Recipe C: pairs of target and prediction of the same image, R1 and R2, no normalisation in P (Huang et al., 2024)
_base_ = './a_scaled-input.py'

model = dict(
    discriminators=dict(
        pose=dict(
            norm_cfg=None,
            loss=dict(type='RelativisticLoss'),
            gradient_penalty=dict(r1=0.1, r2=0.1),
        ),
        confidence=None,
    ),
)
custom_hooks = [*_base_.custom_hooks, dict(type='GradientBudgetHook', share=0.05)]
