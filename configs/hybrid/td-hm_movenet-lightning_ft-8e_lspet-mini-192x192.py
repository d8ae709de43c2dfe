# td-hm_movenet-lightning_lspet-mini-192x192.py, trained for 8 more epochs: the twin of td-tree_movenet-lightning_ft-8e
_base_ = [
    '../_base_/models/movenet_lightning.py',
    '../_base_/dataloaders/lspet-mini_192x192_finetune.py',
    '../_base_/schedules/adam_8e_finetune.py',
]

# all weights come from the finished model
model = dict(backbone=dict(init_cfg=None), head=dict(decoder=_base_.codec))
load_from = 'work_dirs/td-hm_movenet-lightning_lspet-mini-192x192/epoch_16.pth'
randomness = dict(seed=0)
