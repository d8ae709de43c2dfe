# HRNet-W32 with part features, messages, pose and occlusion maps, P and C
_base_ = [
    '../_base_/models/hrnet_w32_tree_adversarial.py',
    '../_base_/dataloaders/mpii_256x256_occlusion.py',
    '../_base_/schedules/adam_210e_networks.py',
]

model = dict(head=dict(decoder=_base_.codec))
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
