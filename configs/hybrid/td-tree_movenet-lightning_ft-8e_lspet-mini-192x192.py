# Messages along the tree of LSP's 14 joints added to the finished td-hm_movenet-lightning_lspet-mini-192x192.py, and 8
# more epochs
_base_ = [
    '../_base_/models/movenet_lightning.py',
    '../_base_/dataloaders/lspet-mini_192x192_finetune.py',
    '../_base_/schedules/adam_8e_finetune.py',
]

# Messages are passed at a sixteenth of the image, 12 x 12 cells, where kernels of 7 cells reach a quarter of it each
# way and cost little time. Their last layer starts at zero, so that training begins with the finished model's
# predictions.
model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(
        type='ResidualMessagePassing',
        in_channels=96,
        tree=dict(metainfo=dict(from_file='lsp.py')),
        part_channels=8,
        transform=[dict(channels=8, kernel_size=(7, 1)), dict(channels=8, kernel_size=(1, 7))],
        stride=4,
    ),
    head=dict(decoder=_base_.codec),
)
load_from = 'work_dirs/td-hm_movenet-lightning_lspet-mini-192x192/epoch_16.pth'
randomness = dict(seed=0)
