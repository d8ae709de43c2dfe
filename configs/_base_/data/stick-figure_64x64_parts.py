# stick-figure_64x64.py with a class for every part, one type each, in the cells of a 16x16 map. It takes more of the
# other cells than the release does, as there are fewer.
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
    *_base_.train_pipeline[:-2],
    dict(type='GenerateTarget', encoder=part_codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
