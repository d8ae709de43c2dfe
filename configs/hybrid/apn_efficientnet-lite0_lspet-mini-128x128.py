# apn-tree_efficientnet-lite0 without messages
_base_ = './apn-tree_efficientnet-lite0_lspet-mini-128x128.py'

model = dict(neck=dict(necks=[part for part in _base_.model.neck.necks if part['type'] != 'ResidualMessagePassing']))
