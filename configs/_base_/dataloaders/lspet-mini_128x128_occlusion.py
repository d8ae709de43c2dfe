# lspet-mini_128x128.py with pose and occlusion maps. LSP-extended has no occlusion labels, so the training images get
# artificial occluders. The validation images stay as they are. The test images show the same persons under occluders
# that do not change from run to run, and occluded joints are scored apart.
_base_ = './lspet-mini_128x128.py'

codec = dict(
    type='OcclusionHeatmap',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    sigma=2,
    normalize='torso',
    metainfo=dict(from_file='lsp.py'),
)

resize = dict(type='TopdownAffine', input_size=codec['input_size'])
train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=30, rotate_prob=1.0),
    resize,
    dict(type='RandomOccluder', prob=0.5, jitter=1.0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
test_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    resize,
    dict(type='RandomOccluder', prob=1.0, jitter=1.0, seed=0),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

test_evaluator = [
    *_base_.val_evaluator,
    dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK', thr=0.2)),
]
