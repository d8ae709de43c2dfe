_base_ = [
    '../_base_/models/hourglass52.py',
    '../_base_/dataloaders/stick-figure_64x64_quarter.py',
    '../_base_/schedules/adam_6e.py',
]

# three levels deep and narrow below the first, which mmpose fixes at 256
model = dict(
    backbone=dict(downsample_times=3, stage_channels=(256, 64, 64, 96), stage_blocks=(1, 1, 1, 1), feat_channel=64),
    head=dict(in_channels=64, decoder=_base_.codec),
)
