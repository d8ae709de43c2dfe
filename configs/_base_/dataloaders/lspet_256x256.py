# Trained on LSP-extended (10,000 persons) and the first half of LSP, tested on the second half of LSP, as is customary
lsp_root = 'data/lsp/'
lspet_root = 'data/lspet/'
# read by mmpose's Inferencer
dataset_type = 'LSPDataset'
data_mode = 'topdown'

codec = dict(type='MSRAHeatmap', input_size=(256, 256), heatmap_size=(64, 64), sigma=2)

load = [dict(type='LoadVerifiedImage')]
train_pipeline = [
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=40, rotate_prob=0.6),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    *load,
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

lspet_train = dict(
    type=dataset_type,
    data_root=lspet_root,
    ann_file='joints.mat',
    data_prefix=dict(img='images/'),
    pipeline=[*load, *train_pipeline],
)
lsp_train = dict(
    type=dataset_type,
    data_root=lsp_root,
    ann_file='joints.mat',
    split='train',
    data_prefix=dict(img='images/'),
    pipeline=[*load, *train_pipeline],
)

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=[lspet_train, lsp_train], ignore_keys=['dataset_name']),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=lsp_root,
        ann_file='joints.mat',
        split='test',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
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
