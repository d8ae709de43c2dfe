# MoveNet Lightning's features, and messages along the tree of LSP's 14 joints
_base_ = './movenet_lightning.py'

# Messages are passed at an eighth of the image, 24 x 24 cells, where kernels of 13 cells reach half across a person.
model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=96,
        tree=dict(metainfo=dict(from_file='lsp.py')),
        part_channels=16,
        preset='separable',
        stride=2,
    ),
)
