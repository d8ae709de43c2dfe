# stick-figure_64x64.py with classification targets: one class per part, one type each, in the cells of a 16x16 map. The
# map has few cells, so a larger share of the negative ones is sampled than in the authors' release.
_base_ = './stick-figure_64x64.py'

part_codec = dict(
    type='PartScoreMap',
    input_size=(64, 64),
    heatmap_size=(16, 16),
    tree=dict(from_file='lsp-26.py'),
    preset='release',
    sampling=dict(negative_rate=0.05),
)
codec = dict(_delete_=True, **part_codec)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=part_codec['input_size']),
    dict(type='GenerateTarget', encoder=part_codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
