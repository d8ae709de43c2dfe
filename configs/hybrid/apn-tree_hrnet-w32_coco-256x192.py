# apn-tree_hrnet-w32 on COCO: 17 joints and their tree, occlusion from the visibility flag
_base_ = [
    '../_base_/models/hrnet_w32_tree_adversarial.py',
    '../_base_/dataloaders/coco_256x192_occlusion.py',
    '../_base_/schedules/adam_210e_networks.py',
]

model = dict(
    neck=dict(tree=dict(from_file='coco-17.py')),
    head=dict(in_channels=17 * 2 * 16, out_channels=17, decoder=_base_.codec),
    # delta is a share of the longer side of the box; a target map has a norm of 1.77 sigma
    adversarial=dict(delta=0.05, epsilon=2.0),
)
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
