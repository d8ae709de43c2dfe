# FLIC at the sizes and with the targets that the code release of Chu et al., CVPR 2016, has for LSP: trained on
# 336x336, tested on 448x448, which shows a third more around people of the same size; 13 types a part
_base_ = './flic_448x448.py'

# The types are of people as they are trained on, turned and flipped:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/flic_336x336.py --augment 1 \
#       --out configs/_base_/deformations/flic-18_13types.json --cfg-options \
#       train_dataloader.dataset.ann_file=train.h5 train_dataloader.dataset.split=all
# people are of the same size in both, as large as in a crop of 336 pixels padded by 1.25
# the release's max-sum adds probabilities; an unsure model does better with the codec's default, log probabilities
part_codec = dict(
    type='PartScoreMap',
    tree=dict(from_file='flic-18.py'),
    deformation='flic-18_13types.json',
    preset='release',
    scores='probability',
)
train_codec = dict(part_codec, input_size=(336, 336), heatmap_size=(42, 42))
codec = dict(part_codec, input_size=(448, 448), heatmap_size=(56, 56), offset_scale=336 / 448)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=40, rotate_prob=0.6),
    dict(type='TopdownAffine', input_size=train_codec['input_size']),
    dict(type='GenerateTarget', encoder=train_codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25 * 448 / 336),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
