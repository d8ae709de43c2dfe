# apn_2x56 with messages along the tree between the pose features of the last stack; nothing else differs. The tree is
# the skeleton of the data set: there is one map per joint, so that virtual parts would have no target.
_base_ = [
    '../_base_/models/stacked_generator_small.py',
    '../_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    '../_base_/schedules/adam_6e_networks.py',
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
    # a target map with a sigma of 2 has twice the norm of one with a sigma of 1
    adversarial=dict(epsilon=2.0),
)
randomness = dict(seed=0)
