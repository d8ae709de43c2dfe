# FLIC, whose labels are observer-centric, with the input size of the slides of Chu et al., CVPR 2016, and their targets
flic_root = 'data/flic/'
# read by mmpose's Inferencer
dataset_type = 'FLICDataset'
data_mode = 'topdown'

# One type per part. The mean offsets, by which max-sum places the parts, are those of the training persons without
# augmentation:
#   python tools/analysis/fit_deformation.py configs/_base_/dataloaders/flic_448x448.py --num-types 1 \
#       --out configs/_base_/deformations/flic-18_1type.json --cfg-options \
#       train_dataloader.dataset.ann_file=train.h5 train_dataloader.dataset.split=all
codec = dict(
    type='PartScoreMap',
    input_size=(448, 448),
    heatmap_size=(56, 56),
    tree=dict(from_file='flic-18.py'),
    deformation='flic-18_1type.json',
    preset='paper',
)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.75, 1.25), rotate_factor=40, rotate_prob=0.6),
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
        data_root=flic_root,
        ann_file='examples.mat',
        split='train',
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
        data_root=flic_root,
        ann_file='examples.mat',
        split='test',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='StrictPCP', thr=0.5), dict(type='PDJ'), dict(type='TorsoPCK', thr=0.2)]
test_evaluator = val_evaluator
