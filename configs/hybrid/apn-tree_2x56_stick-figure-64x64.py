# Adversarial PoseNet whose last stack's pose features exchange messages along the tree: that and nothing else is added.
# The tree is the data set's own skeleton: with a map for every joint, virtual parts would have nothing to learn from.
_base_ = '../adversarial_posenet/apn_2x56_stick-figure-64x64.py'

model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=56,
        tree=dict(metainfo=dict(from_file='lsp.py')),
        part_channels=16,
        preset='separable',
        in_index=(-1, 0),
    )
)
