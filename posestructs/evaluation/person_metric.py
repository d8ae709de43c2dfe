"""Base of the metrics that compare one predicted pose per person with its target.

Flow: ``process`` turns each sample into a small dict of arrays (one entry per sample, so that mmengine can drop the
padding of distributed samplers), the main process joins them and ``measure`` turns them into named percentages.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from posestructs.evaluation.joint_names import name_to_id
from posestructs.evaluation.shipped_metainfo import complete
from posestructs.evaluation.tables import metrics_table
from posestructs.utils.arrays import to_array
from posestructs.utils.checks import check_number, invalid_value, is_number

Persons = dict[str, np.ndarray]

MIN_LENGTH = 1e-3
"""Shortest usable reference length in pixels. LSP has a few sticks of length 0 (rounded in float32: 1e-5), of which no
fraction can be taken; every longer one is measured, as in published evaluations."""


def check_thresholds(thr: float | Sequence[float], metric: str) -> tuple[float, ...]:
    """One or more thresholds.

    Args:
        thr: Fraction of the reference length, or several.
        metric: Name of the metric, for the error.

    Returns:
        tuple[float, ...]: At least one, all different.

    Raises:
        ValueError: None, not numbers, not above 0, not finite, or two that print alike.
    """
    values = (thr,) if isinstance(thr, Real) else thr
    good = isinstance(values, (list, tuple)) and len(values) > 0
    good = good and all(is_number(t) and t > 0 for t in values)
    if not good or len({f'{t:g}' for t in values}) < len(values):
        raise invalid_value(f'{metric}.thr', thr, 'one or more different finite numbers above 0')
    return tuple(float(t) for t in values)


def check_min_length(min_length: float, metric: str) -> float:
    """Shortest reference length in pixels; ValueError where it is not a number above 0."""
    return float(check_number(f'{metric}.min_length', min_length, above=0))


def read_sample(sample: Mapping[str, Any], metric: str, num_joints: int) -> Persons:
    """Read predictions and targets of the persons in one data sample.

    Args:
        sample: mmpose data sample as a dict: ``pred_instances.keypoints`` and ``gt_instances.keypoints`` (N, K, 2)
            pixels of the original image, ``gt_instances.keypoints_visible`` (N, K) or (N, K, C) with "labelled" in
            channel 0.
        metric: Name of the metric, for the error.
        num_joints: Number of joints of the data set.

    Returns:
        Persons: ``pred``, ``gt`` (N, K, 2) and ``labelled`` (N, K) bool.

    Raises:
        ValueError: A field is missing, or shapes do not fit each other or the data set.
    """
    fields = (('pred_instances', 'keypoints'), ('gt_instances', 'keypoints'), ('gt_instances', 'keypoints_visible'))
    for part, field in fields:
        if part not in sample or field not in sample[part]:
            raise ValueError(f'{metric}: a data sample has no {part}.{field}')
    pred, gt, labelled = (to_array(sample[part][field]) for part, field in fields)
    labelled = labelled[..., 0] if labelled.ndim == 3 else labelled
    if gt.ndim != 3 or gt.shape[1:] != (num_joints, 2) or pred.shape != gt.shape or labelled.shape != gt.shape[:2]:
        raise ValueError(
            f'{metric}: pred_instances.keypoints.shape={pred.shape}, gt_instances.keypoints.shape={gt.shape}, '
            f'keypoints_visible.shape={labelled.shape} (image {sample.get("img_path", "unknown")}), allowed: one '
            f'prediction of (K, 2) = ({num_joints}, 2) joints per labelled person'
        )
    # all joints at (0, 0) are placeholders: mmpose calls those of detected boxes visible
    return dict(pred=pred, gt=gt, labelled=(labelled > 0) & (gt != 0).any(axis=(1, 2))[:, None])


def join(results: Sequence[Persons]) -> Persons:
    """All persons of all samples.

    Args:
        results: One dict of arrays per sample, persons first.

    Returns:
        Persons: The same keys, joined over the persons.
    """
    return {key: np.concatenate([r[key] for r in results]) for key in results[0]}


class PersonMetric(BaseMetric):
    """Base of the metrics that compare one predicted pose per person with its target.

    Args:
        collect_device: Device on which mmengine gathers the ranks' results, ``'cpu'`` or ``'gpu'``.
        prefix: Prefix of every key of the result.
        collect_dir: Folder for gathering on the CPU, shared by all ranks; ``None`` lets mmengine choose.
    """

    # the keys name their metric already; None would make mmengine warn at every build
    default_prefix = ''
    # what a person must have to be measured, for messages
    needs = 'a labelled joint'

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None, collect_dir: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.name = type(self).__name__
        self.num_joints = 0

    @BaseMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Take the data set's metainfo and resolve every joint name at once, before the first image.

        Sticks, torso and joint groups that it lacks come from the shipped metainfo with the same joints.
        """
        self.num_joints = len(name_to_id(dataset_meta, self.name))
        self.resolve(complete(dataset_meta))
        self._dataset_meta = dataset_meta

    @abstractmethod
    def resolve(self, meta: dict) -> None:
        """Look up the joints that the metric needs; raises ValueError where the metainfo lacks them."""

    @abstractmethod
    def measure(self, persons: Persons) -> dict[str, float]:
        """Named percentages and counts of all persons."""

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons whose labels suffice for the metric.

        Args:
            persons: Output of :func:`read_sample`.
        """
        return persons['labelled'].any(axis=1)

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """The arrays that are kept of one sample."""
        if self.dataset_meta is None:
            raise ValueError(
                f'{self.name}: dataset_meta is not set; set `evaluator.dataset_meta = dataset.metainfo` before the '
                "first sample, as mmengine's loops do"
            )
        return read_sample(sample, self.name, self.num_joints)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what is needed of one batch.

        Args:
            data_batch: Not used.
            data_samples: mmpose data samples as dicts, with predictions.
        """
        self.results.extend(self.collect(sample) for sample in data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Measure everything that was kept, and log a table.

        Args:
            results: Output of :meth:`collect`, one per sample.

        Returns:
            dict[str, float]: Percentages and counts.

        Raises:
            ValueError: There is nothing to measure.
        """
        if not results:
            raise ValueError(f'{self.name}: there are no predictions to measure')
        persons = join(results)
        self._warn_of_nan(persons)
        metrics = self.measure(persons)
        print_log(f'{self.name} in percent\n{metrics_table(metrics)}', logger='current')
        return metrics

    def _warn_of_nan(self, persons: Persons) -> None:
        odd = persons['labelled'] & ~np.isfinite(persons['pred']).all(axis=-1)
        if odd.any():
            self.warn(f'{odd.sum()} of {persons["labelled"].sum()} predictions are not finite; they count as wrong')

    def warn(self, text: str) -> None:
        """Log one warning that names the metric."""
        print_log(f'{self.name}: {text}', logger='current', level=logging.WARNING)
