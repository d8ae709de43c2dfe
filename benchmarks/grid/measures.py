"""Measures of a run: hits on the test samples, size of the model, and behaviour of the discriminators in training.

The hits, the correct joints and sticks of each test sample, are those from which tables, plots and intervals are
computed. N samples, K joints, S sticks. Distances are in torso lengths. Each joint is recorded at a threshold of 0.2;
for the other thresholds of the PDJ curve only the number of correct joints is. Packed, 1,000 samples take 4 to 7 KB, in
brief 2 KB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import METRICS, MODELS
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.raw_results import decode, encode
from posestructs.evaluation import TorsoPCK
from posestructs.evaluation.error_anatomy import INVERSION, classify_errors
from posestructs.evaluation.joint_names import choose
from posestructs.evaluation.pdj import CURVE
from posestructs.evaluation.person_metric import MIN_LENGTH, Persons, join
from posestructs.evaluation.prediction_files.labels import mirror_by_names
from posestructs.evaluation.sticks import find_sticks
from posestructs.evaluation.strict_pcp import StrictPCP, strict_pcp
from posestructs.utils.arrays import to_array
from posestructs.utils.run_logs import find_logs, read_curves

THRESHOLD = 0.2
UNKNOWN = -1
NETWORKS = ('pose', 'confidence')
LOGGED = ('score_real', 'score_fake', 'acc_real', 'acc_fake', 'share_right')


@dataclass(frozen=True)
class Hits:
    """Correct joints and sticks of a test set.

    Attributes:
        joints: Names of the K joints.
        sticks: Names of the S sticks, left and right apart.
        measured: (N, K) bool, labelled joints of samples with a torso.
        occluded: (N, K) int8: 1, 0, or -1 if unknown.
        right: (N, K) bool, measured joints within 0.2.
        curve: (51,) int64, number of measured joints within each threshold of
            :data:`posestructs.evaluation.pdj.CURVE`; ``None`` in a brief record.
        stick_measured: (N, S) bool, sticks with both ends labelled.
        stick_hits: (N, S) bool, correct sticks by strict PCP at 0.5; ``None`` in a brief record.
        inverted: (N, K) bool, measured joints whose prediction lies on their mirror joint
            (:mod:`posestructs.evaluation.error_anatomy`); ``None`` in a brief record, and in results
            that do not have it.
    """

    joints: tuple[str, ...]
    sticks: tuple[str, ...]
    measured: np.ndarray
    occluded: np.ndarray
    right: np.ndarray
    curve: np.ndarray | None
    stick_measured: np.ndarray
    stick_hits: np.ndarray | None
    inverted: np.ndarray | None = None


ARRAYS = dict(
    measured='bits', occluded='bytes', right='bits', stick_measured='bits', stick_hits='bits', inverted='bits'
)
LABELS = ('joints', 'sticks', 'people', 'measured', 'occluded', 'stick_measured')
"""Keys of a packed record that do not depend on predictions."""


CHANGED = 'right_differs'
"""Key of the joints that are right in one of two test sets alone."""

BRIEF = ('curve', 'stick_hits', 'inverted')
"""What a brief record lacks."""


def brief(hits: Hits) -> Hits:
    """Leave out ``BRIEF``: of images with occluders the tables have visible and occluded joints alone."""
    return replace(hits, **dict.fromkeys(BRIEF))


def pack(hits: Hits, plain: Hits | None = None) -> dict[str, Any]:
    """Convert hits to names, shapes, and arrays as text, for JSON.

    Args:
        hits: Hits of a test set.
        plain: Hits on the same samples without occluders. With them, only the joints that differ are stored, which is
            shorter.
    """
    names = dict(joints=list(hits.joints), sticks=list(hits.sticks))
    out: dict[str, Any] = dict(names, people=len(hits.measured))
    if hits.curve is not None:
        # the counts grow with the threshold: steps of two bytes, low byte first
        steps = np.diff(hits.curve, prepend=0)
        out['curve'] = encode(np.stack([steps % 256, steps // 256], axis=1))
    for name in ARRAYS:
        array = getattr(hits, name)
        if array is not None:
            out[name] = encode(array)
    if plain is not None:
        out[CHANGED] = encode(hits.right ^ plain.right)
        del out['right']
    return out


def unpack(found: Mapping[str, Any], plain: Hits | None = None) -> Hits:
    """Invert :func:`pack`; ``plain`` is needed where only differences to it are stored."""
    joints, sticks = tuple(found['joints']), tuple(found['sticks'])
    arrays = {}
    for name, kind in ARRAYS.items():
        if name not in found and name in BRIEF:
            arrays[name] = None
            continue
        shape = (found['people'], len(sticks if name.startswith('stick') else joints))
        differs = name == 'right' and CHANGED in found
        raw = decode(found[CHANGED if differs else name])
        if kind == 'bits':
            raw = np.unpackbits(raw, count=shape[0] * shape[1]).astype(bool)
        arrays[name] = raw.reshape(shape) ^ plain.right if differs else raw.reshape(shape)
    arrays['occluded'] = arrays['occluded'].astype(np.int8)
    curve = None
    if 'curve' in found:
        low, high = decode(found['curve']).reshape(-1, 2).astype(np.int64).T
        curve = np.cumsum(low + 256 * high)
    return Hits(joints, sticks, curve=curve, **arrays)


def curve_counts(distance: np.ndarray) -> np.ndarray:
    """Number of joints within each threshold of the PDJ curve, (51,) int64.

    Args:
        distance: Distances in torso lengths, of any shape; infinity and NaN are within no threshold.
    """
    return (distance[..., None] <= np.array(CURVE)).sum(axis=tuple(range(distance.ndim)))


@METRICS.register_module()
class HitRecord(TorsoPCK):
    """Metric that records :class:`Hits` in its attribute ``hits`` instead of a score."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(thr=THRESHOLD, **kwargs)
        self.hits: Hits | None = None
        self._sticks: list = []
        self._names: tuple[str, ...] = ()

    def resolve(self, meta: dict) -> None:
        """Look up torso and sticks."""
        super().resolve(meta)
        ids = meta['keypoint_name2id']
        self._names = tuple(sorted(ids, key=ids.__getitem__))
        self._sticks = find_sticks(choose(meta, 'sticks', None, self.name, StrictPCP.EXAMPLE), ids, self.name)

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Collect what a PCK needs of a sample, and the occlusion of its joints."""
        persons = super().collect(sample)
        occluded = sample['gt_instances'].get('keypoints_occluded')
        shape = persons['labelled'].shape
        persons['occluded'] = np.full(shape, UNKNOWN) if occluded is None else to_array(occluded).reshape(shape)
        return persons

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Threshold the distances."""
        persons = join(results)
        measured = persons['labelled'] & (persons['reference'] > MIN_LENGTH)[:, None]
        reference = np.where(persons['reference'] > MIN_LENGTH, persons['reference'], np.nan)
        # computed as in joint_counts, so that both agree on joints at a threshold
        delta = np.subtract(persons['pred'], persons['gt'], dtype=np.float64)
        distance = np.where(measured, np.hypot(delta[..., 0], delta[..., 1]) / reference[:, None], np.inf)
        sticks = [self._stick(persons, stick.ends) for stick in self._sticks]
        errors = classify_errors(persons['pred'], persons['gt'], measured, reference, mirror_by_names(self._names))
        self.hits = Hits(
            joints=self._names,
            sticks=tuple('_'.join(filter(None, (s.side, s.name))) for s in self._sticks),
            measured=measured,
            occluded=persons['occluded'].astype(np.int8),
            right=distance <= THRESHOLD,
            curve=curve_counts(distance),
            stick_measured=np.stack([known for known, _ in sticks], axis=1),
            stick_hits=np.stack([right for _, right in sticks], axis=1),
            inverted=errors.kind == INVERSION,
        )
        return {}

    @staticmethod
    def _stick(persons: Persons, ends: Any) -> tuple[np.ndarray, np.ndarray]:
        """(N,) bool twice: measured and correct sticks, by the metric itself, one sample at a time."""
        counts = [
            strict_pcp(
                persons['pred'][i : i + 1], persons['gt'][i : i + 1], persons['labelled'][i : i + 1], [ends], 0.5
            )
            for i in range(len(persons['gt']))
        ]
        return np.array([c.measured[0] > 0 for c in counts]), np.array([c.correct[0, 0] > 0 for c in counts])


def complexity(cfg: Config) -> dict[str, float]:
    """Measure the model of a config.

    Args:
        cfg: Config with ``model``, whose head has a decoder with ``input_size``.

    Returns:
        ``parameters`` in testing; ``train_parameters``, with the discriminators; ``gmacs``, multiply-adds in 10^9 of
        the convolutions and matrix products of a forward pass of one image, without flip test.
    """
    width, height = cfg.model.head.decoder.input_size
    # the meta device computes shapes only
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = MODELS.build(cfg.model).eval()
        model(torch.zeros(1, 3, height, width), None, mode='tensor')
    kept = sum(parameter.numel() for parameter in model.parameters())
    # adds the discriminators to the model
    networks = model.networks().values() if hasattr(model, 'networks') else [model]
    trained = sum(parameter.numel() for network in networks for parameter in network.parameters())
    return dict(parameters=kept, train_parameters=trained, gmacs=counter.get_total_flops() / 2e9)


def discriminator_scores(folder: Path, share: float = 0.2) -> dict[str, float]:
    """Means of logged values of the discriminators over the end of a training.

    Args:
        folder: Work directory of the run.
        share: Share of the logged rows, counted from the end.

    Returns:
        For each discriminator, with the prefix ``pose.`` or ``confidence.``: ``score_real`` and ``score_fake``, mean
        scores of the joints of target and predicted maps; ``acc_real`` and ``acc_fake``, shares of them classified
        correctly; ``share_right``, share of predicted joints with label 1; ``of_loss``, size of its term relative to
        the generator's loss. Empty without discriminators.
    """
    curves = read_curves(find_logs(folder))
    last = {
        key: float(curve.values[-max(1, round(share * len(curve.values))) :].mean()) for key, curve in curves.items()
    }
    found = {f'{name}.{key}': last[f'{name}.{key}'] for name in NETWORKS for key in LOGGED if f'{name}.{key}' in last}
    for name in NETWORKS:
        if f'loss_adv_{name}' in last:
            found[f'{name}.of_loss'] = abs(last[f'loss_adv_{name}']) / abs(last['loss'])
    return {key: round(value, 5) for key, value in found.items()}
