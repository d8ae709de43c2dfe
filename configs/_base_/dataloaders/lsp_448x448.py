# LSP, trained on the first half and tested on the second, with observer-centric labels ("right" is on the left of the
# image), the input size of the slides of Chu et al., CVPR 2016, and their targets
lsp_root = 'data/lsp/'
# read by mmpose's Inferencer
dataset_type = 'LSPDataset'
data_mode = 'topdown'

# One type per part. The mean offsets, by which max-sum places the parts, are those of the training persons without
# augmentation:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/lsp_448x448.py --num-types 1 \
#       --out configs/_base_/deformations/lsp-26_1type.json
codec = dict(
    type='PartScoreMap',
    input_size=(448, 448),
    heatmap_size=(56, 56),
    tree=dict(from_file='lsp-26.py'),
    deformation='lsp-26_1type.json',
    preset='paper',
)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=180, rotate_prob=1.0),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=lsp_root,
        ann_file='joints.mat',
        split='train',
        centric='observer',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=lsp_root,
        ann_file='joints.mat',
        split='test',
        centric='observer',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='StrictPCP', thr=0.5), dict(type='PDJ'), dict(type='TorsoPCK', thr=0.2)]
test_evaluator = val_evaluator
