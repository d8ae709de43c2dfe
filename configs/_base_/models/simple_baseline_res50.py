# Xiao et al., ECCV 2018. The backbone has ImageNet weights, which torchvision downloads (model.backbone.init_cfg=None:
# from scratch).
_base_ = './simple_baseline_res18.py'

model = dict(
    backbone=dict(depth=50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    head=dict(in_channels=2048, deconv_out_channels=(256, 256, 256)),
)
