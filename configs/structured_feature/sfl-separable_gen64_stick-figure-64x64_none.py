# The same model without messages
_base_ = './sfl-separable_gen64_stick-figure-64x64.py'

model = dict(neck=dict(direction='none'))
