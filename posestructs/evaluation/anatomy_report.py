"""Error anatomy of matched predictions: tables and numbers of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posestructs.evaluation.error_anatomy import (
    KINDS,
    NOT_MEASURED,
    Difference,
    JointErrors,
    classify_errors,
    forgiven,
    kind_counts,
    kind_shares,
    oks_distance,
    oks_scale,
    torso_scale,
)
from posestructs.evaluation.joint_groups import mirrored_groups
from posestructs.evaluation.joint_names import check_pair, find_joints
from posestructs.evaluation.occlusion import split_masks
from posestructs.evaluation.pose_error_anatomy import kind_thresholds
from posestructs.evaluation.prediction_files import Labels, Matched
from posestructs.evaluation.tables import format_table

NAME = 'error_anatomy'


@dataclass
class Analysis:
    """Error kinds of one model.

    Attributes:
        errors: Kinds of all joints.
        matched: The predictions.
        labelled: (N, K) bool, joints with a label and of persons with a prediction.
        groups: Indices of joints by name of a group.
        definition: The thresholds in words.
        notes: Remarks on what was left out, one sentence each.
    """

    errors: JointErrors
    matched: Matched
    labelled: np.ndarray
    groups: Mapping[str, Sequence[int]]
    definition: str
    notes: list[str]

    def only(self, mask: np.ndarray) -> Analysis:
        """Restrict the analysis to some of the joints, (N, K) bool."""
        lost = int(((self.errors.kind >= 0) & ~mask).sum())
        notes = (
            [*self.notes, f'{lost} joints that the other model has no prediction for are left out']
            if lost
            else self.notes
        )
        kind = np.where(mask, self.errors.kind, NOT_MEASURED)
        return replace(self, errors=self.errors._replace(kind=kind), notes=notes)

    def counts(self) -> dict[str, np.ndarray]:
        """Counts (K, 5) of all joints, of each group, and of visible and occluded joints where this is known."""
        kind = self.errors.kind
        rows = {'all joints': kind_counts(kind)}
        joints = np.arange(kind.shape[1])
        rows |= {
            name: kind_counts(kind, np.isin(joints, ids) & np.ones_like(kind, bool))
            for name, ids in self.groups.items()
        }
        masks = split_masks(self.labelled, self.matched.occluded)
        if (~masks['unknown'] & (kind >= 0)).any():
            rows |= {name: kind_counts(kind, masks[name]) for name in ('visible', 'occluded')}
        return rows


def analyse(
    matched: Matched,
    labels: Labels,
    scale: str = 'torso',
    thr: float | None = None,
    near: float | None = None,
    torso_pair: Sequence[str] | None = None,
) -> Analysis:
    """Classify the errors of matched predictions.

    Args:
        matched: The predictions.
        labels: The labels.
        scale: 'torso' or 'oks'.
        thr: See :class:`~posestructs.evaluation.PoseErrorAnatomy`.
        near: See :class:`~posestructs.evaluation.PoseErrorAnatomy`.
        torso_pair: Names of the joints that span the torso; by default those of the metainfo.

    Returns:
        Analysis: One kind per joint.

    Raises:
        ValueError: The labels lack what the scale needs, or nothing can be measured.
    """
    thr, near = kind_thresholds(scale, thr, near, NAME)
    labelled = labels.labelled & matched.found[:, None] & matched.joints
    unit, distances, definition = _unit(labels, scale, thr, near, torso_pair)
    errors = classify_errors(
        matched.pred,
        labels.keypoints,
        labelled,
        unit,
        labels.meta['flip_indices'],
        *distances,
        list(map(str, labels.images)),
    )
    if not (errors.kind >= 0).any():
        raise ValueError(f'{labels.source}: no person has a prediction, a size ({scale}) and a labelled joint')
    groups = labels.meta.get('joint_groups') or mirrored_groups(labels.meta)
    ids = {
        name: find_joints(names, labels.meta['keypoint_name2id'], NAME, 'joint_groups')
        for name, names in groups.items()
    }
    notes = [*matched.notes, *_notes(errors, labelled, labels, scale)]
    return Analysis(errors, matched, labelled, ids, definition, notes)


def _unit(
    labels: Labels, scale: str, thr: float, near: float, torso_pair: Sequence[str] | None
) -> tuple[np.ndarray, tuple[float, float], str]:
    """Unit of distance of each person, thresholds in this unit, and the thresholds in words."""
    if scale == 'torso':
        pair = torso_pair or labels.meta.get('torso_pair')
        if not pair:
            raise ValueError(
                f"{labels.source} names no torso_pair: name two joints (--torso-pair), or use the scale 'oks'; "
                f'joints: {list(labels.joints)}'
            )
        names = check_pair(pair, NAME)
        ids = find_joints(names, labels.meta['keypoint_name2id'], NAME, 'torso_pair')
        words = f'good: within {thr:g}, near: within {near:g} of the distance {names[0]} to {names[1]}'
        return torso_scale(labels.keypoints, labels.labelled, ids), (thr, near), words
    sigmas = labels.meta.get('sigmas')
    if sigmas is None or len(sigmas) != len(labels.joints):
        raise ValueError(f"{labels.source} has no sigmas, which the scale 'oks' needs: give --metainfo, or use 'torso'")
    words = f'good: keypoint similarity at least {thr:g}, near: at least {near:g}'
    return oks_scale(labels.areas, sigmas), (oks_distance(thr), oks_distance(near)), words


def _notes(errors: JointErrors, labelled: np.ndarray, labels: Labels, scale: str) -> list[str]:
    """Remarks on persons and joints that are left out or count as misses."""
    measured = errors.kind >= 0
    notes = []
    if sizeless := int((labelled.any(1) & ~measured.any(1)).sum()):
        notes.append(f'{sizeless} persons have no size ({scale}) and are left out')
    if absent := int((measured & ~np.isfinite(errors.distance)).sum()):
        notes.append(f'{absent} labelled joints are not predicted: they count as misses')
    if list(labels.meta['flip_indices']) == list(range(len(labels.joints))):
        notes.append('no joint has a mirror joint by its name or metainfo: there can be no inversion')
    return notes


def shares_table(analysis: Analysis) -> str:
    """Percentages as Markdown: a row for all joints, each group and side of occlusion.

    Args:
        analysis: Result of :func:`analyse`.

    Returns:
        str: The table; the row of all joints is followed by the PCK if one kind of error were forgiven.
    """
    rows = []
    for name, counts in analysis.counts().items():
        shares = kind_shares(counts)
        rows.append([name, *(f'{shares[kind]:.1f}' if shares else '-' for kind in KINDS), str(counts.sum())])
        if name == 'all joints':
            rows.append(['PCK if forgiven', '', *(f'{value:.1f}' for value in forgiven(shares).values()), ''])
    return format_table(['% of joints', *KINDS, 'joints'], rows)


def comparison_table(differences: Mapping[str, Difference]) -> str:
    """Differences as Markdown.

    Args:
        differences: Result of :func:`~posestructs.evaluation.error_anatomy.compare_kinds`.

    Returns:
        str: A row per kind.
    """
    rows = [[kind, f'{d.mean:+.1f}', f'{d.low:+.1f}', f'{d.high:+.1f}'] for kind, d in differences.items()]
    return format_table(['kind', 'difference', 'low', 'high'], rows)


def report(analysis: Analysis) -> dict[str, Any]:
    """Numbers for a json file.

    Args:
        analysis: Result of :func:`analyse`.

    Returns:
        dict[str, Any]: Shares, what they would be if one kind were forgiven, and counts, by row of the table.
    """
    rows = {}
    for name, counts in analysis.counts().items():
        shares = kind_shares(counts)
        rows[name] = dict(percent=shares, pck_if_forgiven=forgiven(shares), joints=int(counts.sum()))
    kind = analysis.errors.kind
    swaps = float(100 * analysis.errors.other_person[kind >= 0].mean())
    persons = dict(measured=int((kind >= 0).any(1).sum()), labelled=len(kind))
    return dict(rows=rows, swap_to_other_person=swaps, persons=persons, notes=analysis.notes)
