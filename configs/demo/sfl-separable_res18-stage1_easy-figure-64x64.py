# Structured feature learning on the first stage of a ResNet-18, for make demo: minutes on two cores. A cell of its map
# sees 43 of 64 pixels, the ones in its middle best; what a joint has to know of the others, messages bring.
_base_ = [
    '../_base_/models/small_generator_tree.py',
    '../_base_/dataloaders/stick-figure_64x64.py',
    '../_base_/dataloaders/easy_figures.py',
    '../_base_/schedules/adam_2e.py',
]

# the skeleton of LSP without midpoints
part_codec = dict(
    type='PartScoreMap',
    input_size=(64, 64),
    heatmap_size=(16, 16),
    tree=dict(metainfo=dict(from_file='lsp.py')),
    preset='release',
    sampling=dict(negative_rate=0.05),
)
codec = dict(_delete_=True, **part_codec)

model = dict(
    backbone=dict(_delete_=True, type='ResNet', depth=18, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,)),
    neck=dict(tree=part_codec['tree']),
    head=dict(in_channels=14 * 2 * 16, decoder=part_codec),
    test_cfg=dict(flip_test=False),
)

train_pipeline = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=part_codec['input_size']),
    dict(type='GenerateTarget', encoder=part_codec),
    dict(type='PackPoseInputs'),
]
# rendered once, in the process itself
loading = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loading, dataset=dict(num_samples=3000, cache=True, pipeline=train_pipeline, **_base_.figures)
)
val_dataloader = dict(**loading, dataset=dict(num_samples=500, **_base_.figures))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=4, val_interval=4)
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=5))
# over all iterations: 30 of warm-up, then cosine annealing
param_scheduler = [
    dict(type='LinearLR', begin=0, end=30, start_factor=0.04, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=4, T_max=4, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
randomness = dict(seed=0)
