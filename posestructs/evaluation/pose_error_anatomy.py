"""PoseErrorAnatomy: percentages of good joints, jitter, inversions, swaps and misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.error_anatomy import (
    DEFAULTS,
    KINDS,
    JointErrors,
    classify_errors,
    forgiven,
    kind_counts,
    kind_shares,
    oks_distance,
    oks_scale,
    torso_scale,
)
from posestructs.evaluation.joint_groups import find_groups
from posestructs.evaluation.joint_names import check_pair, choose, find_joints
from posestructs.evaluation.occlusion import UNKNOWN, split_masks
from posestructs.evaluation.person_metric import PersonMetric, Persons
from posestructs.utils.arrays import to_array
from posestructs.utils.checks import check_choice, check_number

AREA_OF_BOX = 0.53
"""Area of a person over that of the box, as mmpose's ``CocoMetric`` has it for data without areas."""


def kind_thresholds(scale: str, thr: float | None, near: float | None, key: str) -> tuple[float, float]:
    """Thresholds of the kinds, checked.

    Args:
        scale: 'torso' or 'oks'.
        thr: Greatest distance of a good joint in torsos, or its least similarity; None for the default.
        near: The same for a prediction that lies on a joint; None for the default.
        key: Name of the metric, for the message.

    Returns:
        tuple[float, float]: Both, as they were given.

    Raises:
        ValueError: One is not a number in its range, or the two are not in order.
    """
    check_choice(f'{key}.scale', scale, DEFAULTS)
    thr, near = (
        default if value is None else value for value, default in zip((thr, near), DEFAULTS[scale], strict=True)
    )
    bounds = dict(above=0, high=1) if scale == 'oks' else dict(above=0)
    for name, value in (('thr', thr), ('near', near)):
        check_number(f'{key}.{name}', value, **bounds)
    if near > thr if scale == 'oks' else near < thr:
        order = 'at most thr, being a similarity' if scale == 'oks' else 'at least thr'
        raise ValueError(f'{key}.near={near!r}, allowed: {order} ({thr!r})')
    return float(thr), float(near)


@METRICS.register_module()
class PoseErrorAnatomy(PersonMetric):
    """Shares of good joints, jitter, inversions, swaps and misses.

    See :mod:`posestructs.evaluation.error_anatomy` for the definitions. The result holds, in percent of all measured
    joints, ``PoseErrorAnatomy@<thr>`` (good joints, which is the PCK at this threshold), ``.../jitter``,
    ``.../inversion``, ``.../swap``, ``.../miss``, and ``.../pck_without_inversion`` and so on, the PCK if the errors of
    one kind alone were forgiven; ``.../swap_to_other_person`` is a part of the swaps. The same follows for each
    group of joints (``<group>/PoseErrorAnatomy@<thr>``) and, with occlusion labels, for visible and occluded joints.
    Joints that are not predicted are misses, and counted as ``.../not_predicted``.

    Args:
        scale: Unit of distance: 'torso', the distance of ``torso_pair``, or 'oks', which needs sigmas and areas.
        thr: Greatest distance of a good joint in torsos, by default 0.2; with 'oks' its least keypoint similarity,
            by default 0.85.
        near: Likewise of a prediction that lies on some joint, by default 0.4 torsos or a similarity of 0.5.
        torso_pair: Names of the joints that span the torso; by default ``torso_pair`` of the data set's metainfo.
        joint_groups: Name of a group to joint names; by default those of the metainfo, else each joint with its
            mirror joint.
        kwargs: See :class:`PersonMetric`.
    """

    def __init__(
        self,
        scale: str = 'torso',
        thr: float | None = None,
        near: float | None = None,
        torso_pair: Sequence[str] | None = None,
        joint_groups: Mapping[str, Sequence[str]] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.thr, self.near = kind_thresholds(scale, thr, near, self.name)
        self.scale, self.joint_groups = scale, joint_groups
        self.torso_pair = None if torso_pair is None else check_pair(torso_pair, self.name)
        self.pair: tuple[int, int] | None = None
        self.sigmas: np.ndarray | None = None
        self.mirror: tuple[int, ...] = ()
        self.groups: dict[str, tuple[int, ...]] = {}

    def resolve(self, meta: dict) -> None:
        """Look up the torso or the sigmas, mirror joints and groups."""
        self.groups = find_groups(self.joint_groups, meta, self.name)
        self.mirror = tuple(int(i) for i in meta['flip_indices'])
        if self.scale == 'torso':
            pair = choose(meta, 'torso_pair', self.torso_pair, self.name, "('left_shoulder', 'right_hip')")
            names = check_pair(pair, self.name)
            self.pair = find_joints(names, meta['keypoint_name2id'], self.name, 'torso_pair')
            return
        self.sigmas = np.asarray(() if meta.get('sigmas') is None else meta['sigmas'], np.float64)
        if self.sigmas.shape != (self.num_joints,):
            raise ValueError(
                f"{self.name}: scale='oks' needs {self.num_joints} sigmas in the metainfo, which has "
                f"{len(self.sigmas)}; use scale='torso'"
            )

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Joints, image, size and occlusion of one sample's persons."""
        persons = super().collect(sample)
        number, shape = len(persons['gt']), persons['labelled'].shape
        gt = sample['gt_instances']
        image = sample.get('img_path') or sample.get('img_id')
        if image is None:
            raise ValueError(f'{self.name}: a data sample has neither img_path nor img_id')
        persons['image'] = np.full(number, str(image))
        persons['size'] = self._size(gt, persons)
        persons['occluded'] = np.full(shape, UNKNOWN, np.int8)
        if gt.get('keypoints_occluded') is not None:
            for value, part in enumerate(('visible', 'occluded')):
                masks = split_masks(persons['labelled'], to_array(gt['keypoints_occluded']))
                persons['occluded'][masks[part]] = value
        return persons

    def _size(self, gt: Mapping[str, Any], persons: Persons) -> np.ndarray:
        """(N,) torso length or area."""
        if self.scale == 'torso':
            return torso_scale(persons['gt'], persons['labelled'], self.pair)
        if 'areas' in gt:
            return np.asarray(to_array(gt['areas']), np.float64).reshape(-1)
        if 'bboxes' not in gt:
            raise ValueError(f"{self.name}: scale='oks' needs gt_instances.areas or bboxes, a data sample has neither")
        boxes = np.asarray(to_array(gt['bboxes']), np.float64)
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * AREA_OF_BOX

    def classify(self, persons: Persons) -> JointErrors:
        """Error kinds of all joints."""
        scale, distances = persons['size'], (self.thr, self.near)
        if self.scale == 'oks':
            scale, distances = oks_scale(persons['size'], self.sigmas), tuple(map(oks_distance, distances))
        arrays = (persons[key] for key in ('pred', 'gt', 'labelled'))
        return classify_errors(*arrays, scale, self.mirror, *distances, persons['image'])

    def measure(self, persons: Persons) -> dict[str, float]:
        """Percentages over all joints, of each group and of visible and occluded joints."""
        errors = self.classify(persons)
        measured = errors.kind >= 0
        if not measured.any():
            raise ValueError(f'{self.name}: nothing to measure: no person of {len(measured)} has a size and a label')
        out = self._named('', errors, None)
        stem = f'{self.name}@{self.thr:g}'
        out[f'{stem}/not_predicted'] = int((measured & ~np.isfinite(errors.distance)).sum())
        out[f'{stem}/people'] = int(measured.any(1).sum())
        out[f'{stem}/people_left_out'] = int((~measured.any(1)).sum())
        for name, ids in self.groups.items():
            mask = np.isin(np.arange(self.num_joints), ids) & np.ones_like(measured)
            out |= self._named(f'{name}/', errors, mask)
        masks = split_masks(persons['labelled'], persons['occluded'])
        if (measured & ~masks['unknown']).any():
            for name in ('visible', 'occluded'):
                out |= self._named(f'{name}/', errors, masks[name])
        return out

    def _named(self, prefix: str, errors: JointErrors, mask: np.ndarray | None) -> dict[str, float]:
        stem, counts = f'{prefix}{self.name}@{self.thr:g}', kind_counts(errors.kind, mask)
        shares = kind_shares(counts)
        if not shares:
            self.warn(f'no joint of {prefix[:-1]} was measured: its percentages are not in the result')
            return {f'{stem}/joints': 0}
        out = {stem: shares['good'], **{f'{stem}/{name}': shares[name] for name in KINDS[1:]}}
        swaps = errors.other_person if mask is None else errors.other_person & mask
        out[f'{stem}/swap_to_other_person'] = float(100 * swaps.sum() / counts.sum())
        out |= {f'{stem}/pck_without_{name}': value for name, value in forgiven(shares).items()}
        out[f'{stem}/joints'] = int(counts.sum())
        return out
