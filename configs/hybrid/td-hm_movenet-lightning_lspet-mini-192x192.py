# MoveNet Lightning's features, pose and occlusion maps, no messages: the twin of td-tree_movenet-lightning
_base_ = [
    '../_base_/models/movenet_lightning.py',
    '../_base_/dataloaders/lspet-mini_192x192_occlusion.py',
    '../_base_/schedules/adam_16e_finetune.py',
]

model = dict(head=dict(decoder=_base_.codec))
randomness = dict(seed=0)
