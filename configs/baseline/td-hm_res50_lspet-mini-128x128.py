_base_ = './td-hm_res18_lspet-mini-128x128.py'

# from scratch, as ResNet-18 is
model = dict(backbone=dict(depth=50), head=dict(in_channels=2048))
