# the shipped config of the stick figures, as small as it can be
_base_ = '../../configs/adversarial_posenet/apn_2x56_stick-figure-64x64.py'

small = dict(channels=8, depth=1, norm_cfg=dict(type='GN', num_groups=2))
model = dict(
    backbone=dict(num_stacks=1, channels=8, depth=1, stem_channels=(4, 4, 4)),
    head=dict(in_channels=8, num_stacks=1),
    discriminators=dict(pose=small, confidence=small),
    # joints of both labels
    adversarial=dict(delta=1.0, epsilon=4.0),
)

train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(num_samples=12))
val_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(num_samples=4))
test_dataloader = val_dataloader

default_hooks = dict(logger=dict(interval=1))
