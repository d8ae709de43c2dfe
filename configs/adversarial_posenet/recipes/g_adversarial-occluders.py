# Recipe G: no discriminators; half of the occluders are aimed at the joints whose loss was greatest in the last epoch
_base_ = './control.py'

# every second occluder, beside the random ones
train_pipeline = [
    dict(step, type='LossAimedOccluder', aimed=0.5) if step['type'] == 'RandomOccluder' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
custom_hooks = [*_base_.custom_hooks, dict(type='JointLossHook')]
