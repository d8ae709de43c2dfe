# Trained on the first half of LSP, on LSP-extended and on MPII with the 14 joints of LSP, tested on the second half of
# LSP, as by Chen et al., ICCV 2017. LSP-extended has no occlusion labels: its occlusion maps have no loss.
lsp_root = 'data/lsp/'
lspet_root = 'data/lspet/'
mpii_root = 'data/mpii/'
# read by mmpose's Inferencer
dataset_type = 'LSPDataset'
data_mode = 'topdown'

codec = dict(
    type='OcclusionHeatmap',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    sigma=1,
    normalize='torso',
    metainfo=dict(from_file='lsp.py'),
)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=30, rotate_prob=1.0),
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

lsp_train = dict(
    type=dataset_type,
    data_root=lsp_root,
    ann_file='joints.mat',
    split='train',
    data_prefix=dict(img='images/'),
    pipeline=[],
)
lspet_train = dict(
    type=dataset_type,
    data_root=lspet_root,
    ann_file='joints.mat',
    data_prefix=dict(img='images/'),
    pipeline=[],
)
# joints of MPII in the order of LSP: legs and arms, upper neck, head top; pelvis and thorax are left out
to_lsp = dict(
    type='KeypointConverter',
    num_keypoints=14,
    mapping=[
        *[(joint, joint) for joint in range(6)],
        *[(10 + joint, 6 + joint) for joint in range(6)],
        (8, 12),
        (9, 13),
    ],
)
mpii_train = dict(
    type='MpiiOcclusionDataset',
    data_root=mpii_root,
    ann_file='annotations/mpii_train.json',
    occlusion_file='annotations/mpii_train_occlusion.npz',
    data_prefix=dict(img='images/'),
    pipeline=[to_lsp],
)

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CombinedDataset',
        metainfo=dict(from_file='lsp.py'),
        datasets=[lsp_train, lspet_train, mpii_train],
        pipeline=train_pipeline,
    ),
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
