# Messages from the root to the leaves only
_base_ = './sfl-release_fcnvgg_lsp-336x336.py'

model = dict(neck=dict(direction='down'))
