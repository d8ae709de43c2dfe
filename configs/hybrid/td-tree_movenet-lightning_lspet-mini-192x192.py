# MoveNet Lightning's features, messages along the tree of LSP's 14 joints, pose and occlusion maps
_base_ = [
    '../_base_/models/movenet_lightning.py',
    '../_base_/dataloaders/lspet-mini_192x192_occlusion.py',
    '../_base_/schedules/adam_16e_finetune.py',
]

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
    head=dict(decoder=_base_.codec),
)
randomness = dict(seed=0)
