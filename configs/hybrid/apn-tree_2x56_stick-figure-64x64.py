# apn_2x56 with messages along the tree between the pose features of the last stack; nothing else differs. The tree is
# the skeleton of the data set: there is one map per joint, so that virtual parts would have no target.
_base_ = [
    '../_base_/models/stacked_generator_small.py',
    '../_base_/dataloaders/stick-figure_64x64_occlusion.py',
    '../_base_/schedules/adam_2e_networks.py',
]

model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=56,
        tree=dict(metainfo=dict(from_file='lsp.py')),
        part_channels=16,
        preset='separable',
        in_index=(-1, 0),
    ),
    head=dict(decoder=_base_.codec),
)
randomness = dict(seed=0)
