# mmpose's config with atomic checkpoints that load under weights_only=True
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_res50_8xb64-210e_mpii-256x256.py'

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
default_hooks = dict(checkpoint=dict(type='AtomicCheckpointHook'))
custom_hooks = [*_base_.custom_hooks, dict(type='SafeCheckpointHook')]
