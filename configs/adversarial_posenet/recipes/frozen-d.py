# Second control: P and C of recipe A with random weights that are never trained
_base_ = './a_scaled-input.py'

train_cfg = dict(max_epochs=4, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=1, start_factor=0.05, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=0, end=4, T_max=4, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
custom_hooks = [
    *(hook for hook in _base_.custom_hooks if hook['type'] != 'AdversarialScheduleHook'),
    dict(type='AdversarialScheduleHook', freeze=dict(pose=(0, None), confidence=(0, None))),
    # as many gradients as in the recipes with a budget; else random ones would be too small to matter
    dict(type='GradientBudgetHook', share=0.05),
]
