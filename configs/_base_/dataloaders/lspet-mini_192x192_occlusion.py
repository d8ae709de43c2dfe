# 5,000 + 1,000 persons of LSP-extended at 192x192, turned over the full circle, with boxes that are moved and scaled,
# and occluders on half of the training images; validation persons are as they are. The folder is
# $POSESTRUCTS_DATA/lspet-mini, by default ../shared/data/lspet-mini seen from the project's root
data_root = '{{$POSESTRUCTS_DATA:{{fileDirname}}/../../../../shared/data}}/lspet-mini/'
# read by mmpose's Inferencer
dataset_type = 'LSPDataset'
data_mode = 'topdown'

codec = dict(
    type='OcclusionHeatmap',
    input_size=(192, 192),
    heatmap_size=(48, 48),
    sigma=2,
    normalize='torso',
    metainfo=dict(from_file='lsp.py'),
)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.1,
        shift_prob=0.5,
        scale_factor=(0.75, 1.35),
        scale_prob=1.0,
        rotate_factor=180,
        rotate_prob=0.6,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='RandomOccluder', prob=0.5, jitter=1.0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]
test_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='RandomOccluder', prob=1.0, jitter=1.0, seed=0),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='joints.mat',
        id_file='train.txt',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='joints.mat',
        id_file='val.txt',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
# the same persons under occluders that are the same in every run
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], pipeline=test_pipeline))

val_evaluator = [dict(type='TorsoPCK', thr=0.2), dict(type='StrictPCP', thr=0.5), dict(type='PDJ')]
test_evaluator = [*val_evaluator, dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK', thr=0.2))]
