# Chu et al., CVPR 2016, as the authors' slides have it: VGG's own fc6 (4096 channels), three 7x7 kernels a message, the
# background one more map of the prediction
_base_ = './fcn_vgg_tree_release.py'

model = dict(
    backbone=dict(fc6_channels=4096, fc6_norm_cfg=None),
    neck=dict(in_channels=4096, preset='paper'),
    head=dict(background='plain', shared_channels=4096),
)
