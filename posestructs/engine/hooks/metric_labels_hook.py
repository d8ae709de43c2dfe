"""Refuse, before the first step, a metric for which no person of the data has the labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.joint_check_hook import dataset_joint_names
from posestructs.engine.hooks.loop_check_hook import LoopCheckHook
from posestructs.evaluation.person_metric import PersonMetric, Persons, read_sample
from posestructs.utils.usage import UsageError

_KEYS = ('keypoints', 'keypoints_visible')


@HOOKS.register_module()
class MetricLabelsHook(LoopCheckHook):
    """Refuse a metric that can measure none of the labelled persons, as ``TorsoPCK`` on labels without hips.

    The metric itself can refuse only after the first validation. The annotations are read up to the first person who
    can be measured, and no image. ``tools/train.py`` and ``tools/test.py`` have the hook by themselves; elsewhere name
    it in ``custom_hooks``.
    """

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Look for a person whom each metric can measure."""
        for metric in getattr(getattr(loop, 'evaluator', None), 'metrics', ()):
            if not isinstance(metric, PersonMetric):
                continue
            dataset = loop.dataloader.dataset
            if persons := unmeasured(metric, dataset):
                measure = getattr(metric, 'base', metric).name
                remedy = '' if metric.needs == PersonMetric.needs else f". Use dict(type='BoxPCK') instead of {measure}"
                raise UsageError(
                    f'{name}_evaluator has {measure}, but none of the {persons} persons of {name}_dataloader.dataset '
                    f'({type(dataset).__name__}) has {metric.needs}{remedy}'
                )


def unmeasured(metric: PersonMetric, dataset: Any) -> int:
    """Count the persons of a data set of whom a metric can measure none.

    Args:
        metric: The metric, whose ``dataset_meta`` is set.
        dataset: A data set.

    Returns:
        int: The number of persons; 0 if one of them can be measured, or if that is not known, as of a data set that
        is not top-down, combines others or converts joints in its pipeline.
    """
    persons = 0
    for labels in _labels(dataset, metric):
        if metric.measurable(labels).any():
            return 0
        persons += len(labels['gt'])
    return persons


def _labels(dataset: Any, metric: PersonMetric) -> Iterator[Persons]:
    """Labelled joints of each annotation, as the metric reads them; predictions are the targets."""
    if getattr(dataset, 'datasets', None) or dataset_joint_names(dataset) is None:
        return
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        if any(info.get(key) is None for key in _KEYS):
            return
        joints, visible = (np.asarray(info[key]) for key in _KEYS)
        targets = dict(keypoints=joints, keypoints_visible=visible)
        yield read_sample(dict(pred_instances=targets, gt_instances=targets), metric.name, metric.num_joints)
