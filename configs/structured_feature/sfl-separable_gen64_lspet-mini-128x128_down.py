# Messages from the root to the leaves only
_base_ = './sfl-separable_gen64_lspet-mini-128x128.py'

model = dict(neck=dict(direction='down'))
