# Messages from the leaves to the root only
_base_ = './sfl-separable_gen64_stick-figure-64x64.py'

model = dict(neck=dict(direction='up'))
