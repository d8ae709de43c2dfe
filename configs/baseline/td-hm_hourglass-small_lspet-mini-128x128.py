_base_ = [
    '../_base_/models/hourglass52.py',
    '../_base_/dataloaders/lspet-mini_128x128.py',
    '../_base_/schedules/adam_16e.py',
]

# three levels deep and narrow below the first, which mmpose fixes at 256 channels: 2.7 GMACs instead of 7.2
model = dict(
    backbone=dict(downsample_times=3, stage_channels=(256, 64, 64, 96), stage_blocks=(1, 1, 1, 1), feat_channel=64),
    head=dict(in_channels=64, decoder=_base_.codec),
)
default_hooks = dict(checkpoint=dict(save_best='TorsoPCK@0.2', rule='greater'))
