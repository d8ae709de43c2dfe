"""Hooks."""

from posestructs.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from posestructs.engine.hooks.progress_hook import ProgressHook
from posestructs.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from posestructs.engine.hooks.skipped_samples_hook import SkippedSamplesHook
from posestructs.engine.hooks.throughput_hook import ThroughputHook

__all__ = ['AtomicCheckpointHook', 'ProgressHook', 'SafeCheckpointHook', 'SkippedSamplesHook', 'ThroughputHook']
