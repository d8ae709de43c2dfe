# Recipe D: G brings the features that P computes from its maps closer to those of the targets
_base_ = './a_scaled-input.py'

model = dict(discriminators=dict(pose=dict(loss=dict(type='FeatureMatchingLoss')), confidence=None))
custom_hooks = [*_base_.custom_hooks, dict(type='GradientBudgetHook', share=0.05)]
