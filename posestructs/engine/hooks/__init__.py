"""Hooks."""

from posestructs.engine.hooks.adversarial_schedule_hook import AdversarialScheduleHook
from posestructs.engine.hooks.annotation_check_hook import AnnotationCheckHook
from posestructs.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from posestructs.engine.hooks.channels_last_hook import ChannelsLastHook
from posestructs.engine.hooks.checkpoint_check_hook import CheckpointCheckHook
from posestructs.engine.hooks.codec_check_hook import CodecCheckHook
from posestructs.engine.hooks.discriminator_balance_hook import DiscriminatorBalanceHook
from posestructs.engine.hooks.fake_label_hook import FakeLabelHook
from posestructs.engine.hooks.finite_loss_hook import FiniteLossHook
from posestructs.engine.hooks.finite_prediction_hook import FinitePredictionHook
from posestructs.engine.hooks.gradient_budget_hook import GradientBudgetHook
from posestructs.engine.hooks.interrupt_hook import InterruptHook
from posestructs.engine.hooks.joint_check_hook import JointCheckHook
from posestructs.engine.hooks.joint_loss_hook import JointLossHook
from posestructs.engine.hooks.metric_labels_hook import MetricLabelsHook
from posestructs.engine.hooks.occlusion_truth_hook import OcclusionTruthHook
from posestructs.engine.hooks.progress_hook import ProgressHook
from posestructs.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from posestructs.engine.hooks.sample_seed_hook import SampleSeedHook
from posestructs.engine.hooks.skipped_samples_hook import SkippedSamplesHook
from posestructs.engine.hooks.step_seed_hook import StepSeedHook
from posestructs.engine.hooks.throughput_hook import ThroughputHook

__all__ = [
    'AdversarialScheduleHook',
    'AnnotationCheckHook',
    'AtomicCheckpointHook',
    'ChannelsLastHook',
    'CheckpointCheckHook',
    'CodecCheckHook',
    'DiscriminatorBalanceHook',
    'FakeLabelHook',
    'FiniteLossHook',
    'FinitePredictionHook',
    'GradientBudgetHook',
    'InterruptHook',
    'JointCheckHook',
    'JointLossHook',
    'MetricLabelsHook',
    'OcclusionTruthHook',
    'ProgressHook',
    'SafeCheckpointHook',
    'SampleSeedHook',
    'SkippedSamplesHook',
    'StepSeedHook',
    'ThroughputHook',
]
