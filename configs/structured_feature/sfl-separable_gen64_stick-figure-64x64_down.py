# Messages from the root to the leaves only
_base_ = './sfl-separable_gen64_stick-figure-64x64.py'

model = dict(neck=dict(direction='down'))
