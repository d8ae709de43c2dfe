# MoveNet Lightning's features, messages along the tree of LSP's 14 joints, pose and occlusion maps
_base_ = './td-hm_movenet-lightning_lspet-mini-192x192.py'

# Messages are passed at 1/16 of the image, 12 x 12 cells, where kernels of 11 cells reach from one side to the other.
# Each is a row and a column of taps.
model = dict(
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=96,
        tree=dict(metainfo=dict(from_file='lsp.py')),
        part_channels=16,
        preset=None,
        transform=[dict(channels=4, kernel_size=(11, 1)), dict(channels=16, kernel_size=(1, 11))],
        stride=4,
    ),
)
