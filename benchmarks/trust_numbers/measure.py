"""Numbers of ``benchmarks/trust.py`` from predictions: calibration, its limits, occlusion, cut persons."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trust_numbers.models import Predicted
from posestructs.evaluation.anatomy_report import report
from posestructs.evaluation.calibration import auroc, average_precision, reliability, summary
from posestructs.evaluation.calibration_fit import fit_curves
from posestructs.evaluation.error_anatomy import INVERSION, JITTER, torso_scale
from posestructs.evaluation.prediction_files import Labels, read_predictions
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.safe_pickle import load_pickle

CUTS = ('waist', 'side', 'both')
DRAWN = 0.3
"""Score from which on the first model draws a joint."""
MIRRORED = 0.2
"""A person counts as mirrored if its joints are closer to their mirror joints by so many torsos on average."""
FOLDS = 2
"""Parts of the held-out persons: the others are all that a fit may see beside the fitted half."""


def numbers(found: Predicted, labels: Labels) -> dict[str, Any]:
    """Error kinds, calibration and occlusion of one model."""
    mask = found.measured & found.held[:, None]
    parts = {name: summary(p[mask], found.right[mask]) for name, p in probabilities(found, labels).items()}
    return dict(
        errors=report(found.analysis)['rows'],
        calibration=parts,
        occlusion=occlusion(found.occluders) if found.occluders else {},
        cut=dict(found.report),
        checkpoint=found.checkpoint,
    )


def probabilities(found: Predicted, labels: Labels) -> dict[str, np.ndarray]:
    """(N, K) of the score, the calibrated score and, where it was fitted, the calibration from features."""
    fitted = found.measured & ~found.held[:, None]
    curves, _ = fit_curves(found.scores, found.right, fitted)
    calibration = ScoreCalibration(labels.joints, 'platt', tuple(curves), 'TorsoPCK@0.2', '', False)
    out = dict(score=found.scores, calibrated=calibration.apply(found.scores))
    features = found.from_features()
    return out if features is None else out | {'from features': features}


def limits(found: Predicted, labels: Labels) -> dict[str, Any]:
    """AUROC of wrong joints where some kinds of errors are left out, and of stronger fits to the same features.

    Returns:
        dict[str, Any]: ``auroc`` by subset and source; ``mirrored_persons`` and ``mirrored_inversions``, the shares of
        held-out persons that fit the labels with left and right exchanged, and of all inversions in them; ``fits``, the
        AUROC of other regressions on the features, also with the other half of the held-out persons added.
    """
    kind, held = found.analysis.errors.kind, found.held[:, None] & found.measured
    mirrored = mirrored_persons(found, labels)
    subsets = {
        'all joints': held,
        'without mirrored persons': held & ~mirrored[:, None],
        'right joints and jitter': held & (found.right | (kind == JITTER)),
        'without jitter and inversions': held & (kind != JITTER) & (kind != INVERSION),
    }
    sources = {'score': found.scores, 'from features': found.from_features()}
    table = {
        name: {source: _wrong_auroc(values, found.right, mask) for source, values in sources.items()}
        for name, mask in subsets.items()
    }
    inversions = held & (kind == INVERSION)
    return dict(
        auroc=table,
        mirrored_persons=float(mirrored[held.any(1)].mean()),
        mirrored_inversions=float(mirrored[inversions.nonzero()[0]].mean()) if inversions.any() else None,
        fits=stronger_fits(found, labels),
    )


def mirrored_persons(found: Predicted, labels: Labels) -> np.ndarray:
    """(N,) bool, persons whose prediction fits the labels better with left and right exchanged."""
    mirror = np.asarray(labels.meta['flip_indices'])
    paired = found.measured & found.measured[:, mirror] & (mirror != np.arange(len(mirror)))
    pair = [labels.meta['keypoint_name2id'][joint] for joint in labels.meta['torso_pair']]
    size = torso_scale(labels.keypoints, labels.labelled, pair)[:, None]
    pred = found.analysis.matched.pred
    own, other = (np.linalg.norm(pred - gt, axis=2) for gt in (labels.keypoints, labels.keypoints[:, mirror]))
    gain = np.where(paired, (own - other) / size, 0).sum(1) / np.maximum(paired.sum(1), 1)
    return gain > MIRRORED


def stronger_fits(found: Predicted, labels: Labels) -> dict[str, float | None]:
    """AUROC of wrong held-out joints by trees, and by fits on more persons, from the same features."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    linear = partial(LogisticRegression, C=1.0, max_iter=1000)
    trees = partial(
        HistGradientBoostingClassifier,
        max_iter=100,
        learning_rate=0.06,
        max_leaf_nodes=15,
        l2_regularization=5,
        min_samples_leaf=40,
        early_stopping=False,
        random_state=0,
    )
    features, held = found.analysis.matched.fields['keypoint_features'], np.flatnonzero(found.held)
    joints = np.minimum(np.arange(features.shape[1]), labels.meta['flip_indices'])
    which = np.eye(len(joints))[joints][:, np.unique(joints)]
    x = np.concatenate([features, np.broadcast_to(which, (*features.shape[:2], which.shape[1]))], 2)
    mean, spread = x[found.measured].mean(0), np.maximum(x[found.measured].std(0), 1e-9)
    x = (x - mean) / spread
    folds = np.array_split(held, min(FOLDS, len(held)))
    fits = [
        ('logistic regression, fitted on three quarters of the persons', linear, folds),
        ('boosted trees, fitted on one half', trees, [held]),
        ('boosted trees, fitted on three quarters', trees, folds),
    ]
    out, mask = {}, found.measured & found.held[:, None]
    for name, make, parts in fits:
        probability = np.zeros(found.right.shape)
        for part in parts:
            rest = found.measured.copy()
            rest[part] = False
            model = make().fit(x[rest], found.right[rest])
            probability[part] = model.predict_proba(x[part].reshape(-1, x.shape[2]))[:, 1].reshape(len(part), -1)
        out[name] = _wrong_auroc(probability, found.right, mask)
    return out


def occlusion(dump: Path) -> dict[str, float]:
    """AUROC, average precision and ECE of the predicted occlusion; empty where a side is missing."""
    poses = read_predictions(dump)
    occluded, score = poses.labels.get('keypoints_occluded'), poses.fields.get('keypoints_occluded')
    if occluded is None or score is None:
        return {}
    known = poses.labels['labelled'] & (occluded >= 0)
    score, occluded = score[known], occluded[known] == 1
    if not occluded.any() or occluded.all():
        return {}
    ece = reliability(np.clip(score, 0, 1), occluded).ece()
    return dict(
        AUROC=auroc(score, occluded), AP=average_precision(score, occluded), ECE=ece, greatest=float(score.max())
    )


def false_joints(models: Mapping[str, Predicted], labels: Labels) -> dict[str, dict[str, float | None]]:
    """Share of absent joints that are drawn where all models draw equally many joints at the right place.

    As many as the first model draws with a score of at least :data:`DRAWN`.

    Returns:
        dict[str, dict[str, float | None]]: By row of the table and kind of cut; the first row is the share of joints in
        the image that are drawn at the right place.
    """
    rows: dict[str, dict[str, float | None]] = {'right among the joints in the image': {}}
    cut = {name: _read_cut(found, labels) for name, found in models.items() if found.cut is not None}
    for kind in CUTS:
        wanted = None
        for name, (kinds, absent, right, sources) in cut.items():
            mask = (np.isin(kinds, CUTS) if kind == 'both' else kinds == kind)[:, None] & (absent >= 0)
            score = sources['score'][mask & right]
            wanted = int((score >= DRAWN).sum()) if wanted is None else wanted
            share = wanted / max(int((mask & (absent == 0)).sum()), 1)
            rows['right among the joints in the image'].setdefault(kind, share)
            for source, values in sources.items():
                drawn = _drawn(values[mask & (absent == 1)], values[mask & right], wanted)
                rows.setdefault(f'{name}, {source}', {})[kind] = drawn
    return rows


def _read_cut(found: Predicted, labels: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Kind of cut (N,); joints that are absent, 1, or there, 0, or do not count, -1; right ones; scores by name."""
    poses, samples = read_predictions(found.cut), load_pickle(found.cut)
    kinds = np.array([str(sample.get('person_cut')) for sample in samples])
    position = {name: n for n, name in enumerate(labels.ids)}
    order = [position[name] for name in poses.ids]
    pair = [labels.meta['keypoint_name2id'][joint] for joint in labels.meta['torso_pair']]
    size = torso_scale(labels.keypoints, labels.labelled, pair)[order][:, None]
    present = poses.labels['keypoints_present']
    counts = (present >= 0) & np.isfinite(size) & found.held[order][:, None]
    distance = np.linalg.norm(poses.keypoints - poses.labels['keypoints'], axis=2) / size
    right = counts & (present == 1) & (np.nan_to_num(distance, nan=np.inf) <= 0.2)
    probability = found.features.present.probability(poses.fields['keypoint_features'])
    sources = dict(score=poses.scores, keypoints_present=probability)
    return kinds, np.where(counts, present == 0, -1), right, sources


def _drawn(absent: np.ndarray, right: np.ndarray, wanted: int) -> float | None:
    """Share of absent joints at the greatest threshold that keeps so many right joints; None where there are fewer."""
    if not len(absent) or not 0 < wanted <= len(right):
        return None
    return float((absent >= np.sort(right)[::-1][wanted - 1]).mean())


def _wrong_auroc(values: np.ndarray, right: np.ndarray, mask: np.ndarray) -> float | None:
    return auroc(-values[mask], ~right[mask]) if mask.any() else None
