_base_ = [
    '../_base_/models/simple_baseline_res18.py',
    '../_base_/data/stick-figure_64x64.py',
    '../_base_/schedules/adam_16e.py',
]

# half as wide, three of four stages, and one pass over 12,000 people: a few minutes on two cores
model = dict(
    backbone=dict(base_channels=32, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,)),
    head=dict(in_channels=128, deconv_out_channels=(64, 64, 64), decoder=_base_.codec),
    test_cfg=dict(flip_test=False),
)

train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=1, T_max=1, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
