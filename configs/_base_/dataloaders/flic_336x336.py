# FLIC with the sizes and targets that the code release of Chu et al., CVPR 2016, has for LSP: trained at 336x336,
# tested at 448x448, where a person of the same size has a third more surroundings; 13 mixture types per part; as many
# images without persons as persons. Rotations are those of flic_448x448.py, since the persons of FLIC are upright.
_base_ = './flic_448x448.py'

# see lsp_336x336.py
background_root = 'data/inria/'

# The types are fitted to the training persons under the augmentation of training:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/flic_336x336.py --augment 1 \
#       --out configs/_base_/deformations/flic-18_13types.json --cfg-options \
#       train_dataloader.dataset.datasets.0.ann_file=train.h5 train_dataloader.dataset.datasets.0.split=all
# Persons have the same size in both codecs: that of a crop of 336 pixels with a padding of 1.25.
# The max-sum of the release adds probabilities. An unsure model does better with the default, log probabilities.
part_codec = dict(
    type='PartScoreMap',
    tree=dict(from_file='flic-18.py'),
    deformation='flic-18_13types.json',
    preset='release',
    scores='probability',
)
train_codec = dict(part_codec, input_size=(336, 336), heatmap_size=(42, 42))
codec = dict(part_codec, input_size=(448, 448), heatmap_size=(56, 56), offset_scale=336 / 448)

augment = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=40, rotate_prob=0.6),
    dict(type='TopdownAffine', input_size=train_codec['input_size']),
]
train_pipeline = [
    *augment,
    dict(type='GenerateTarget', encoder=train_codec),
    dict(type='PackPoseInputs'),
]
background_pipeline = [
    *augment,
    dict(type='GenerateTarget', encoder=dict(train_codec, unlabelled='background')),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25 * 448 / 336),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

flic_train = dict(
    type='FLICDataset',
    data_root=_base_.flic_root,
    ann_file='examples.mat',
    split='train',
    data_prefix=dict(img='images/'),
    pipeline=train_pipeline,
)
background_train = dict(
    type='BackgroundDataset',
    metainfo=dict(from_file='flic.py'),
    data_root=background_root,
    ann_file='negatives.txt',
    data_prefix=dict(img='images/'),
    pipeline=background_pipeline,
)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # 3 times 1,218 images without persons beside 3,987 persons
        datasets=[flic_train, *[background_train] * 3],
        ignore_keys=['dataset_name'],
    )
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
