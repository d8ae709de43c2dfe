# stick-figure_64x64.py with maps at a quarter of the image's size, which is what stacked hourglasses and HRNet give
_base_ = './stick-figure_64x64.py'

codec = dict(heatmap_size=(16, 16), sigma=1)

train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(type='GenerateTarget', encoder=dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
