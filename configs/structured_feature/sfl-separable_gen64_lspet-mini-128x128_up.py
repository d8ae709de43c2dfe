# Messages from the leaves to the root only
_base_ = './sfl-separable_gen64_lspet-mini-128x128.py'

model = dict(neck=dict(direction='up'))
