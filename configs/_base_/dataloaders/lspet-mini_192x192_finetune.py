# 5,000 + 1,000 persons of LSP-extended at 192x192 for fine-tuning a finished model: turned by at most 30 degrees, with
# looser boxes than in lspet-mini_192x192_occlusion.py, and with persons cut by the image's edge, whose lost joints are
# trained as empty maps. Validation and test persons are the same
_base_ = './lspet-mini_192x192_occlusion.py'

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomPersonCut', prob=0.15),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.15,
        shift_prob=0.6,
        scale_factor=(0.7, 1.6),
        scale_prob=1.0,
        rotate_factor=30,
        rotate_prob=0.6,
    ),
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    dict(type='RandomOccluder', prob=0.5, jitter=1.0),
    dict(type='GenerateTarget', encoder=dict(_base_.codec, negatives=True)),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
