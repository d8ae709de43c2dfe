# mmpose's own config; the tools add safe checkpoints and a progress bar
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_hourglass52_8xb64-210e_mpii-256x256.py'

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
