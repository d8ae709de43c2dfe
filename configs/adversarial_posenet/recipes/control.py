# Control of all recipes: the shipped model, trained four epochs further without discriminators
_base_ = [
    '../../_base_/models/movenet_lightning_tree.py',
    '../../_base_/dataloaders/lspet-mini_192x192_occlusion.py',
    '../../_base_/schedules/adam_4e_recipe.py',
]

model = dict(backbone=dict(init_cfg=None), head=dict(decoder=_base_.codec))
load_from = 'shipped://td-tree_movenet-lightning_lspet-mini-192x192'
randomness = dict(seed=0)
