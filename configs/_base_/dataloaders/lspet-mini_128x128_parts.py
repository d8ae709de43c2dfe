# lspet-mini_128x128.py with classification targets: one class per part, one type each, in the cells of a 32x32 map. The
# map has few cells, so a larger share of the negative ones is sampled than in the authors' release.
_base_ = './lspet-mini_128x128.py'

part_codec = dict(
    type='PartScoreMap',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    tree=dict(from_file='lsp-26.py'),
    preset='release',
    sampling=dict(negative_rate=0.02),
)
codec = dict(_delete_=True, **part_codec)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=40, rotate_prob=0.6),
    dict(type='TopdownAffine', input_size=part_codec['input_size']),
    dict(type='GenerateTarget', encoder=part_codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
