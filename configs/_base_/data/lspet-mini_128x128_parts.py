# lspet-mini_128x128.py with a class for every part, one type each, in the cells of a 32x32 map. It takes more of the
# other cells than the release does, as there are fewer.
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
    *_base_.train_pipeline[:-2],
    dict(type='GenerateTarget', encoder=part_codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
