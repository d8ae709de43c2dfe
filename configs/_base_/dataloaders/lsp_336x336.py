# LSP as the code release of Chu et al., CVPR 2016, has it: trained on 336x336, tested on 448x448, which shows a third
# more around people of the same size; 13 types a part. The release cuts its crops from whole images, these are around
# people.
_base_ = './lsp_448x448.py'

# The types are of people as they are trained on, turned and flipped:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/lsp_336x336.py --augment 4 \
#       --out configs/_base_/deformations/lsp-26_13types.json
# people are of the same size in both, as large as in a crop of 336 pixels padded by 1.25
# the release's max-sum adds probabilities; an unsure model does better with the codec's default, log probabilities
part_codec = dict(
    type='PartScoreMap',
    tree=dict(from_file='lsp-26.py'),
    deformation='lsp-26_13types.json',
    preset='release',
    scores='probability',
)
train_codec = dict(part_codec, input_size=(336, 336), heatmap_size=(42, 42))
codec = dict(part_codec, input_size=(448, 448), heatmap_size=(56, 56), offset_scale=336 / 448)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    # any way up
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=180, rotate_prob=1.0),
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
