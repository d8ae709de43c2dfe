# The same model without messages
_base_ = './sfl-release_fcnvgg_lsp-336x336.py'

model = dict(neck=dict(direction='none'))
