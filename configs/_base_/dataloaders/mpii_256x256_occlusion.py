# MPII with pose and occlusion maps, augmented as by Chen et al., ICCV 2017. tools/dataset_converters/mpii_occlusion.py
# writes the occlusion files.
mpii_root = 'data/mpii/'
# read by mmpose's Inferencer
dataset_type = 'MpiiOcclusionDataset'
data_mode = 'topdown'

codec = dict(
    type='OcclusionHeatmap',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    sigma=1,
    # the annotations of mmpose have no head boxes of the training persons
    normalize='head',
    pair=('upper_neck', 'head_top'),
    metainfo=dict(from_file='mpii_occlusion.py'),
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

mpii_train = dict(
    type=dataset_type,
    data_root=mpii_root,
    ann_file='annotations/mpii_train.json',
    occlusion_file='annotations/mpii_train_occlusion.npz',
    data_prefix=dict(img='images/'),
    pipeline=train_pipeline,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=mpii_train,
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=mpii_root,
        ann_file='annotations/mpii_val.json',
        occlusion_file='annotations/mpii_val_occlusion.npz',
        # relative to the working directory, as in mmpose
        headbox_file='data/mpii/annotations/mpii_gt_val.mat',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='MpiiPCKAccuracy'),
    dict(
        type='OcclusionSplitPCK',
        base=dict(type='HeadPCK', thr=0.5, offset=1.0, exclude=['pelvis', 'thorax']),
    ),
]
test_evaluator = val_evaluator
