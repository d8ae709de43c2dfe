# COCO with pose and occlusion maps (flag 1 of COCO: labelled, not visible), tested as in mmpose: AP on the boxes of a
# detector
coco_root = 'data/coco/'
# read by mmpose's Inferencer
dataset_type = 'CocoOcclusionDataset'
data_mode = 'topdown'

# normalize='box', since the joints that span a head or torso are often unlabelled
codec = dict(type='OcclusionHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2, normalize='box')

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody'),
    dict(type='RandomBBoxTransform'),
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
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=coco_root,
        data_mode=data_mode,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/'),
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
        data_root=coco_root,
        data_mode=data_mode,
        ann_file='annotations/person_keypoints_val2017.json',
        # relative to the working directory, as in mmpose
        bbox_file='data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='CocoMetric', ann_file='data/coco/annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
