# Adversarial PoseNet whose last stack's pose features exchange messages along the tree: that and nothing else is added
_base_ = '../adversarial_posenet/apn_4x512_mpii-256x256.py'

model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=512,
        tree=dict(from_file='mpii-16.py'),
        part_channels=32,
        preset='separable',
        in_index=(-1, 0),
    )
)
