_base_ = [
    '../_base_/models/small_generator_tree.py',
    '../_base_/dataloaders/lspet-mini_128x128_parts.py',
    '../_base_/schedules/adam_6e.py',
]

model = dict(neck=dict(tree=_base_.codec.tree), head=dict(decoder=_base_.codec))
