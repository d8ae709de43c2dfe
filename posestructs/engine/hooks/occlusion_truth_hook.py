"""Refuse, before the first step, a metric that splits joints by occlusion on data without occlusion labels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.datasets.transforms.occlusion_channel import KEY, labelled
from posestructs.engine.hooks.loop_check_hook import LoopCheckHook
from posestructs.evaluation.occlusion import UNKNOWN, OcclusionSplitPCK
from posestructs.utils.usage import UsageError


@HOOKS.register_module()
class OcclusionTruthHook(LoopCheckHook):
    """Refuse an ``OcclusionSplitPCK`` over a data set without occlusion labels.

    The metric itself can refuse only after the first validation, which may be hours later. ``tools/train.py`` and
    ``tools/test.py`` have the hook by themselves; elsewhere name it in ``custom_hooks``.
    """

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Look for occlusion labels where the evaluator needs them."""
        metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', ())
        split = next((metric for metric in metrics if isinstance(metric, OcclusionSplitPCK)), None)
        if split is None or may_have_occlusion_labels(loop.dataloader.dataset):
            return
        raise UsageError(
            f'{name}_evaluator has {split.name}, but there is no occlusion ground truth: {name}_dataloader.dataset '
            f'({type(loop.dataloader.dataset).__name__}) gives no {KEY}, and no transform of its pipeline makes it. '
            f'Leave {split.name} out of {name}_evaluator, or use a data set with such labels'
        )


def may_have_occlusion_labels(dataset: Any) -> bool:
    """Check whether samples of a data set can have occlusion labels.

    As a rule the first sample's annotation does. Where it does not, the pipeline may make labels (``RandomOccluder``),
    or further samples may have them, as in a combined data set.

    Args:
        dataset: One of mmengine's kind; of other kinds nothing is known.

    Returns:
        bool: False only where no annotation holds a label and the pipeline, run on the first sample, makes none.
    """
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return True
    parts = getattr(dataset, 'datasets', None)  # a combined one runs their pipelines for its annotations
    if not parts and _says(dataset.get_data_info(0)):
        return True
    with _random_state_kept():
        if _has_labels(dataset[0]):
            return True
    if parts:
        return any(may_have_occlusion_labels(part) for part in parts)
    return any(_says(dataset.get_data_info(i)) for i in range(1, len(dataset)))


def _says(info: Mapping[str, Any]) -> bool:
    """Whether an annotation has an occlusion label for any labelled joint."""
    occluded, visible = info.get(KEY), info.get('keypoints_visible')
    if occluded is None or visible is None:
        return False
    return bool((labelled(np.asarray(visible)) & (np.asarray(occluded) != UNKNOWN)).any())


def _has_labels(sample: Any) -> bool:
    """Whether a sample from a pipeline, packed or not, has a field for labels, even an empty one."""
    if not isinstance(sample, Mapping):
        return True
    if 'data_samples' not in sample:
        return sample.get(KEY) is not None
    return KEY in getattr(sample['data_samples'], 'gt_instances', ())


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the random states, so that training draws the same numbers as without this check."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])
