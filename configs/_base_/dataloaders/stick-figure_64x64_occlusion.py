# stick-figure_64x64.py with pose and occlusion maps at a quarter of the image size
_base_ = './stick-figure_64x64.py'

codec = dict(
    type='OcclusionHeatmap',
    input_size=(64, 64),
    heatmap_size=(16, 16),
    sigma=1,
    normalize='torso',
    metainfo=dict(from_file='lsp.py'),
)

target = dict(type='GenerateTarget', encoder=codec)
train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    target,
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
