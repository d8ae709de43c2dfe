# Messages along the tree, pose and occlusion maps and both discriminators on a pretrained backbone with one feature map
_base_ = [
    '../_base_/models/efficientnet_lite0.py',
    '../_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    '../_base_/schedules/adam_6e_networks.py',
]

discriminator = dict(channels=32, depth=3, norm_cfg=dict(type='GN', num_groups=8))
messages = dict(
    type='ResidualMessagePassing',
    in_channels=64,
    tree=dict(from_file='lsp-26.py'),
    part_channels=16,
    preset='separable',
)
model = dict(
    type='AdversarialPoseEstimator',
    neck=dict(necks=[*_base_.model.neck.necks, messages]),
    head=dict(
        _delete_=True,
        type='AdversarialHead',
        in_channels=64,
        out_channels=14,
        num_stacks=1,
        decoder=_base_.codec,
    ),
    discriminators=dict(
        pose=dict(type='PoseDiscriminator', **discriminator),
        confidence=dict(type='ConfidenceDiscriminator', **discriminator),
    ),
    # a target map has a norm of 3.5 with a sigma of 2
    adversarial=dict(alpha=1 / 220, beta=1 / 180, delta=0.2, epsilon=2.0),
)
randomness = dict(seed=0)
