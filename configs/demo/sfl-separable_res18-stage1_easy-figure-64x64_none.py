# The same model without messages
_base_ = './sfl-separable_res18-stage1_easy-figure-64x64.py'

model = dict(neck=dict(direction='none'))
