# MoveNet Lightning's features, messages along the tree of LSP's 14 joints, pose and occlusion maps
_base_ = [
    '../_base_/models/movenet_lightning_tree.py',
    '../_base_/dataloaders/lspet-mini_192x192_occlusion.py',
    '../_base_/schedules/adam_16e_finetune.py',
]

model = dict(head=dict(decoder=_base_.codec))
randomness = dict(seed=0)
