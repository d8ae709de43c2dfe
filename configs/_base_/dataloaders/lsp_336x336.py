# LSP as in the code release of Chu et al., CVPR 2016: trained at 336x336, tested at 448x448, where a person of the same
# size has a third more surroundings; 13 mixture types per part; rotations by every 9 degrees of the full circle; as
# many images without persons as persons. The release cuts its crops from whole images; here they are centred on
# persons.
_base_ = './lsp_448x448.py'

# The release takes the 1,218 negative training images of INRIA Person; any images without persons will do. The list of
# file names comes from `ls images > negatives.txt`.
background_root = 'data/inria/'

# The types are fitted to the training persons under the augmentation of training:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/lsp_336x336.py --augment 4 \
#       --out configs/_base_/deformations/lsp-26_13types.json
# Persons have the same size in both codecs: that of a crop of 336 pixels with a padding of 1.25.
# The max-sum of the release adds probabilities. An unsure model does better with the default, log probabilities.
part_codec = dict(
    type='PartScoreMap',
    tree=dict(from_file='lsp-26.py'),
    deformation='lsp-26_13types.json',
    preset='release',
    scores='probability',
)
train_codec = dict(part_codec, input_size=(336, 336), heatmap_size=(42, 42))
codec = dict(part_codec, input_size=(448, 448), heatmap_size=(56, 56), offset_scale=336 / 448)

augment = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomStepRotation', step=9),
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

lsp_train = dict(
    type='LSPDataset',
    data_root=_base_.lsp_root,
    ann_file='joints.mat',
    split='train',
    centric='observer',
    data_prefix=dict(img='images/'),
    pipeline=train_pipeline,
)
# 1,218 beside the 1,000 persons
background_train = dict(
    type='BackgroundDataset',
    data_root=background_root,
    ann_file='negatives.txt',
    data_prefix=dict(img='images/'),
    pipeline=background_pipeline,
)

train_dataloader = dict(
    dataset=dict(
        _delete_=True, type='ConcatDataset', datasets=[lsp_train, background_train], ignore_keys=['dataset_name']
    )
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
