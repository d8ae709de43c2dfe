# ResNet-50 with part features, messages, pose and occlusion maps, P and C
_base_ = [
    '../_base_/models/tree_adversarial.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/adam_210e_networks.py',
]

model = dict(
    backbone=dict(
        type='ResNet',
        depth=50,
        # the last stage at a stride of 16, not 32, so that the maps have room for messages
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(
        in_channels=2048,
        # the separable preset with 7 taps instead of 13: 48 pixels of the image in each direction
        transform=[
            dict(channels=4, kernel_size=1),
            dict(channels=4, kernel_size=(7, 1)),
            dict(channels=4, kernel_size=(1, 7)),
            dict(channels=16, kernel_size=1),
        ],
    ),
    # from a stride of 16 to one of 4
    head=dict(deconv_out_channels=(256, 256), decoder=_base_.codec),
)
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
