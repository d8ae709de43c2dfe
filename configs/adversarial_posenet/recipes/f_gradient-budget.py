# Recipe F: alpha and beta such that the gradients of P and C at the maps are 5 % of those of L_G
_base_ = './a_scaled-input.py'

custom_hooks = [*_base_.custom_hooks, dict(type='GradientBudgetHook', share=0.05)]
