"""Any PCK, split into visible and occluded joints.

Both sides are measured in the same way and over the same persons: only the set of joints differs, so the means of the
sides, weighted by their ``joints``, give the mean over the joints whose occlusion is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.pck import PCK
from posestructs.evaluation.person_metric import PersonMetric, Persons
from posestructs.utils.arrays import to_array
from posestructs.utils.checks import invalid_value

VISIBLE, OCCLUDED, UNKNOWN = 0, 1, -1


def split_masks(labelled: np.ndarray, occluded: np.ndarray) -> dict[str, np.ndarray]:
    """Split labelled joints into visible ones, occluded ones, and those of which it is not known.

    Args:
        labelled: (N, K) bool.
        occluded: (N, K) 1 = occluded, 0 = visible, -1 = not known.

    Returns:
        dict[str, np.ndarray]: ``visible``, ``occluded`` and ``unknown``, each (N, K) bool; together ``labelled``.

    Raises:
        ValueError: A labelled joint has another value.
    """
    labelled, occluded = np.asarray(labelled, bool), np.asarray(occluded)
    parts = {
        'visible': labelled & (occluded == VISIBLE),
        'occluded': labelled & (occluded == OCCLUDED),
        'unknown': labelled & (occluded == UNKNOWN),
    }
    stray = labelled & ~(parts['visible'] | parts['occluded'] | parts['unknown'])
    if stray.any():
        raise invalid_value('keypoints_occluded', np.unique(occluded[stray]).tolist(), '0, 1, -1')
    return parts


@METRICS.register_module()
class OcclusionSplitPCK(PersonMetric):
    """PCK of visible and of occluded joints separately, for any reference length.

    The result holds every key of the base metric twice, as ``visible/<key>`` and ``occluded/<key>``, and
    ``unknown/<key>/joints``: labelled joints of which it is not known whether they are occluded; they are on neither
    side. ``people_left_out`` are those without a reference length or a labelled joint, the same on both sides. A side
    without a joint has only its counts.

    Args:
        base: Config of a PCK: ``TorsoPCK``, ``HeadPCK``, ``BoxPCK``, ``PDJ``, or an own subclass of :class:`PCK`.
        kwargs: See :class:`PersonMetric`.

    Example:
        >>> val_evaluator = [
        ...     dict(type='TorsoPCK', thr=0.2),
        ...     dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK', thr=0.2)),
        ...     dict(type='OcclusionSplitPCK', base=dict(type='HeadPCK', thr=0.5, exclude=['pelvis', 'thorax'])),
        ... ]
    """

    def __init__(self, base: dict | PCK, **kwargs) -> None:
        super().__init__(**kwargs)
        self.base = METRICS.build(base) if isinstance(base, Mapping) else base
        if not isinstance(self.base, PCK):
            raise TypeError(
                f'{self.name}.base={base!r}, allowed: the config of a PCK (TorsoPCK, HeadPCK, BoxPCK, PDJ); for '
                "mmpose's MpiiPCKAccuracy write dict(type='HeadPCK', thr=0.5, offset=1.0, exclude=['pelvis', 'thorax'])"
            )
        if self.base.prefix:
            raise ValueError(f'{self.name}: give prefix={self.base.prefix!r} to {self.name} instead of to its base')

    def resolve(self, meta: dict) -> None:
        """Pass the metainfo on to the base."""
        self.base.dataset_meta = meta

    @property
    def needs(self) -> str:
        """What a person must have to be measured by the base."""
        return self.base.needs

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons whose labels suffice for the base."""
        return self.base.measurable(persons)

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Arrays that the base keeps of a sample, and the occlusion of its joints."""
        persons = self.base.collect(sample)
        shape = persons['labelled'].shape
        occluded = sample['gt_instances'].get('keypoints_occluded')
        persons['occluded'] = np.full(shape, UNKNOWN, np.int8)
        persons['has_labels'] = np.full(len(persons['gt']), occluded is not None)
        if occluded is None:
            return persons
        occluded = to_array(occluded)
        if occluded.shape != shape:
            raise ValueError(f'{self.name}: gt_instances.keypoints_occluded.shape={occluded.shape}, allowed: {shape}')
        for part, value in (('visible', VISIBLE), ('occluded', OCCLUDED)):
            persons['occluded'][split_masks(persons['labelled'], occluded)[part]] = value
        return persons

    def measure(self, persons: Persons) -> dict[str, float]:
        """Percentages of both sides."""
        masks = split_masks(persons['labelled'], persons['occluded'])
        if not (masks['visible'] | masks['occluded']).any():
            field = 'has only -1 (not known)' if persons['has_labels'].any() else 'is in no data sample'
            raise ValueError(
                f'{self.name}: there are no occlusion labels: gt_instances.keypoints_occluded {field}; use a data set '
                'that gives it, and its packing transform'
            )
        counts = {part: self.base.count(persons, mask) for part, mask in masks.items()}
        ids, stem = list(self.base.mean_joints), f'{self.base.name}@{self.base.thr[0]:g}'
        out: dict[str, float] = {}
        for part in ('visible', 'occluded'):
            if counts[part].measured[ids].any():
                out |= {f'{part}/{k}': v for k, v in self.base.summarise(counts[part], part).items()}
                continue
            self.warn(f'no {part} joint was measured: its percentages are not in the result')
            out[f'{part}/{stem}/joints'] = 0
        out[f'unknown/{stem}/joints'] = int(counts['unknown'].measured[ids].sum())
        return out
