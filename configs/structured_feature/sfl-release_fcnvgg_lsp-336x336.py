_base_ = [
    '../_base_/models/fcn_vgg_tree_release.py',
    '../_base_/dataloaders/lsp_336x336.py',
    '../_base_/schedules/sgd_release.py',
]

model = dict(
    neck=dict(tree=_base_.codec.tree),
    head=dict(in_channels=26 * 2 * 128, decoder=_base_.codec),
)
default_hooks = dict(checkpoint=dict(save_best='StrictPCP@0.5', rule='greater'))
