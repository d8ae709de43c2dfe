# Chu et al., CVPR 2016, as in the authors' slides: fc6 of VGG-16 (4096 channels), three 7x7 kernels per message, the
# background as one more map of the prediction, a single image size
_base_ = './fcn_vgg_tree_release.py'

model = dict(
    backbone=dict(fc6_channels=4096, fc6_norm_cfg=None),
    neck=dict(in_channels=4096, preset='paper'),
    head=dict(background='plain', shared_channels=4096),
    test_cfg=dict(pyramid_scales=None),
)
