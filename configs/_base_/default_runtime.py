_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)

default_hooks = dict(
    # written whole or not at all: a killed run resumes from the last one
    checkpoint=dict(type='AtomicCheckpointHook'),
    # with --show-dir: occlusion maps, and what discriminators say of each joint
    visualization=dict(type='StructureVisualizationHook'),
)

custom_hooks = [
    dict(type='SyncBuffersHook'),
    # a loss that is NaN or infinite stops training, and names itself
    dict(type='FiniteLossHook'),
    # checkpoints that torch loads with weights_only=True
    dict(type='SafeCheckpointHook'),
    # images per second, in each log line
    dict(type='ThroughputHook'),
    # what a data set had to leave out, after each epoch
    dict(type='SkippedSamplesHook'),
    # a progress bar, on a terminal only
    dict(type='ProgressHook'),
]

# draws occluded joints as rings
visualizer = dict(type='OcclusionLocalVisualizer')

# read by tools/train.py, which has the flag --tensorboard for it
tensorboard = False
