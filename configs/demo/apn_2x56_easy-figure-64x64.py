# apn_2x56 on the figures of the demo
_base_ = ['../adversarial_posenet/apn_2x56_stick-figure-64x64.py', '../_base_/dataloaders/easy_figures.py']

train_dataloader = dict(dataset=dict(num_samples=3000, cache=True, **_base_.figures))
val_dataloader = dict(dataset=dict(num_samples=500, **_base_.figures))
test_dataloader = val_dataloader
