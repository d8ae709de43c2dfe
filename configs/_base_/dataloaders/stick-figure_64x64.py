# Synthetic figures with true occlusion labels, drawn on the fly. Training and test figures have disjoint indices.
# read by mmpose's Inferencer
dataset_type = 'StickFigureDataset'
data_mode = 'topdown'

codec = dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(32, 32), sigma=2)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type=dataset_type, num_samples=12000, image_size=64, start_index=1000000, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type, num_samples=1000, image_size=64, start_index=0, test_mode=True, pipeline=val_pipeline
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='TorsoPCK', thr=0.2),
    dict(type='StrictPCP', thr=0.5),
    dict(type='PDJ'),
    dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK', thr=0.2)),
]
test_evaluator = val_evaluator
