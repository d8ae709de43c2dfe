_base_ = [
    '../_base_/models/simple_baseline_res18.py',
    '../_base_/dataloaders/stick-figure_64x64.py',
    '../_base_/schedules/adam_1e.py',
]

# half as wide and three of four stages
model = dict(
    backbone=dict(base_channels=32, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,)),
    head=dict(in_channels=128, deconv_out_channels=(64, 64, 64), decoder=_base_.codec),
    test_cfg=dict(flip_test=False),
)

# one pass over 6,000 figures
train_dataloader = dict(dataset=dict(num_samples=6000))
