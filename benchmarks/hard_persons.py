"""Models side by side on hard persons: right joints, whole persons, left and right.

    python benchmarks/hard_persons.py CONFIG ours=ours.pkl movenet-thunder=movenet-thunder.json --out table.json

Labels are those of the config's validation set. Predictions are dumps of ``tools/test.py --phase val --dump`` or COCO
results, such as ``benchmarks/peers.py --predictions`` writes. A person that a file lacks was not found, and its joints
count as wrong. The first model is compared with each of the others on the same persons. The file written by ``--out``
holds the right joints of each person too (``hits``, see :func:`benchmarks.raw_results.encode`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

import posestructs  # noqa: F401
from benchmarks.person_views import person_views
from benchmarks.raw_results import encode, write_results
from posestructs.evaluation.error_anatomy import KINDS, classify_errors, torso_scale
from posestructs.evaluation.joint_names import check_pair
from posestructs.evaluation.prediction_files import Labels, labels_of_dataset, match_predictions, read_predictions
from posestructs.evaluation.prediction_files.labels import mirror_by_names
from posestructs.evaluation.tables import format_table
from posestructs.utils.machine import describe_machine

NOT_LIMBS = ('neck', 'head_top')
HIPS = ('left_hip', 'right_hip')  # their definition differs between data sets
THR = 0.2  # torsos, of a right joint
MIRRORED = 0.2  # torsos, by which a mirrored person is nearer to the mirrored labels, in the mean of its limb joints
APART = 0.5  # torsos between the labels of a mirror pair, from which two predictions within THR count as one place


class Persons(NamedTuple):
    """Predictions of N persons with K joints beside their labels; in pixels, NaN where not found."""

    pred: np.ndarray
    gt: np.ndarray
    labelled: np.ndarray
    torso: np.ndarray


def right_joints(persons: Persons) -> np.ndarray:
    """(N, K) bool: labelled joints within THR torsos."""
    distance = np.linalg.norm(persons.pred - persons.gt, axis=-1)
    return persons.labelled & (distance <= THR * persons.torso[:, None])


def both_on_one(persons: Persons, pair: tuple[int, int]) -> float:
    """Percentage of mirror pairs that are apart, of persons found, whose two predictions lie on one place."""
    (a, b), unit = pair, persons.torso
    apart = persons.labelled[:, a] & persons.labelled[:, b] & np.isfinite(persons.pred).all((1, 2))
    apart &= np.linalg.norm(persons.gt[:, a] - persons.gt[:, b], axis=1) >= APART * unit
    close = np.linalg.norm(persons.pred[:, a] - persons.pred[:, b], axis=1) <= THR * unit
    return 100 * float(close[apart].mean()) if apart.any() else float('nan')


def on_mirror_joint(persons: Persons, mirror: np.ndarray) -> np.ndarray:
    """(N, K) bool: wrong joints within THR torsos of the label of their mirror joint.

    These are all errors that would be right if left and right were forgiven joint by joint, among them joints that lie
    near their own label too, which ``classify_errors`` counts as jitter.
    """
    distance = np.linalg.norm(persons.pred - persons.gt[:, mirror], axis=-1)
    known = persons.labelled[:, mirror] & (mirror != np.arange(len(mirror)))
    close = known & (distance <= THR * persons.torso[:, None])
    return persons.labelled & ~right_joints(persons) & close


def mirrored(persons: Persons, mirror: np.ndarray, limbs: np.ndarray) -> np.ndarray:
    """(N,) bool: persons whose prediction fits the labels better with left and right exchanged, by MIRRORED torsos.

    Measured on limb joints that are labelled on both sides, at least four of them.
    """
    known = persons.labelled & persons.labelled[:, mirror] & limbs & np.isfinite(persons.pred).all((1, 2))[:, None]
    count = np.maximum(known.sum(1), 1)
    unit = persons.torso[:, None]
    means = []
    for labels in (persons.gt, persons.gt[:, mirror]):
        distance = np.linalg.norm(persons.pred - labels, axis=-1) / unit
        means.append(np.where(known, distance, 0).sum(1) / count)
    return (known.sum(1) >= 4) & (means[0] - means[1] > MIRRORED)


def interval(ours: np.ndarray, theirs: np.ndarray, count: np.ndarray, resamples: int = 5000) -> dict[str, float]:
    """Difference in points of right joints with a 95 % interval, persons drawn with replacement.

    Args:
        ours: (N,) right joints of each person; of whole persons, 1 and 0.
        theirs: (N,) likewise of the other model.
        count: (N,) labelled joints of each person; of whole persons, 1 where all are labelled.
        resamples: Number of draws.

    Returns:
        ``mean``, ``low``, ``high``.
    """
    ours, theirs, count = (np.asarray(values, float) for values in (ours, theirs, count))
    rng, n = np.random.default_rng(0), len(count)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    values = 100 * (draws @ (ours - theirs)) / (draws @ count)
    low, high = np.quantile(values, [0.025, 0.975])
    return dict(mean=100 * float((ours - theirs).sum() / count.sum()), low=float(low), high=float(high))


def is_limb(names: Sequence[str], hips: bool = True) -> np.ndarray:
    """(K,) bool: joints of arms and legs, with or without the hips."""
    return ~np.isin(names, NOT_LIMBS if hips else NOT_LIMBS + HIPS)


def differences(ours: Persons, theirs: Persons, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Intervals of a model's lead, each as :func:`interval`: joints, limb joints, those without hips, whole persons."""
    limbs = is_limb(names)
    distal = is_limb(names, hips=False)
    one, other, labelled = right_joints(ours), right_joints(theirs), ours.labelled
    whole = labelled[:, limbs].all(1)
    return dict(
        joints=interval(one.sum(1), other.sum(1), labelled.sum(1)),
        limbs=interval(one[:, limbs].sum(1), other[:, limbs].sum(1), labelled[:, limbs].sum(1)),
        limbs_without_hips=interval(one[:, distal].sum(1), other[:, distal].sum(1), labelled[:, distal].sum(1)),
        whole_persons=interval(one[:, limbs].all(1) & whole, other[:, limbs].all(1) & whole, whole),
    )


def summarise(persons: Persons, labels: Labels) -> dict[str, float]:
    """Figures of one model, in percent."""
    names, mirror = labels.joints, np.asarray(mirror_by_names(labels.joints))
    limbs = is_limb(names)
    distal = is_limb(names, hips=False)
    right, labelled = right_joints(persons), persons.labelled
    errors = classify_errors(persons.pred, persons.gt, labelled, persons.torso, mirror)
    counts = np.array([(errors.kind == kind).sum() for kind in range(len(KINDS))])
    wrong = counts[1:].sum()
    whole = labelled[:, limbs].all(1)
    return dict(
        not_found=100 * float((~np.isfinite(persons.pred).all((1, 2)))[labelled.any(1)].mean()),
        joints=100 * right.sum() / labelled.sum(),
        limbs=100 * right[:, limbs].sum() / labelled[:, limbs].sum(),
        limbs_without_hips=100 * right[:, distal].sum() / labelled[:, distal].sum(),
        whole_persons=100 * float(right[whole][:, limbs].all(1).mean()),
        labelled_joints_all_right=100 * float((right | ~labelled)[:, limbs].all(1).mean()),
        on_mirror_joint_among_errors=100 * float(on_mirror_joint(persons, mirror).sum() / wrong),
        inversions_among_errors=100 * counts[KINDS.index('inversion')] / wrong,
        both_on_one_knee=both_on_one(persons, (names.index('left_knee'), names.index('right_knee'))),
        both_on_one_ankle=both_on_one(persons, (names.index('left_ankle'), names.index('right_ankle'))),
        **{f'kind_{name}': 100 * counts[i] / counts.sum() for i, name in enumerate(KINDS)},
    )


def by_view(persons: Persons, views: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Right joints of the persons of each view, in percent; 0 where there is none."""
    right, labelled = right_joints(persons).sum(1), persons.labelled.sum(1)
    return {name: 100 * float(right[mask].sum() / max(labelled[mask].sum(), 1)) for name, mask in views.items()}


def read_persons(path: str, labels: Labels) -> Persons:
    """Predictions of a file in the order of the labels."""
    poses = read_predictions(path)
    if poses.joints is None:
        poses.joints = labels.joints
    return beside_labels(match_predictions(poses, labels, min_oks=0.0).pred, labels)


def beside_labels(pred: np.ndarray, labels: Labels) -> Persons:
    """Predictions (N, K, 2) in the order of the labels; joints of persons without a torso are not measured."""
    pair = tuple(map(labels.joints.index, check_pair(labels.meta['torso_pair'], 'benchmark')))
    torso = torso_scale(labels.keypoints, labels.labelled, pair)
    labelled = labels.labelled & (torso > 0)[:, None]
    return Persons(pred, labels.keypoints, labelled, np.nan_to_num(torso, nan=1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('models', nargs='+', metavar='NAME=FILE')
    parser.add_argument('--out', type=Path, help='json file for the figures')
    args = parser.parse_args()
    files = dict(pair.split('=', 1) for pair in args.models)
    init_default_scope('mmpose')
    dataset = DATASETS.build(Config.fromfile(args.config).val_dataloader.dataset)
    labels = labels_of_dataset(dataset, Path(args.config).name)
    found = {name: read_persons(path, labels) for name, path in files.items()}
    # the same joints for all
    common = np.logical_and.reduce([persons.labelled for persons in found.values()])
    found = {name: persons._replace(labelled=common) for name, persons in found.items()}
    figures: dict[str, Any] = {name: summarise(persons, labels) for name, persons in found.items()}
    first, count = next(iter(found)), common.sum(1)
    for name in list(found)[1:]:
        figures[name]['first_minus_this'] = differences(found[first], found[name], labels.joints)
    mirror = np.asarray(mirror_by_names(labels.joints))
    swapped = {name: mirrored(persons, mirror, is_limb(labels.joints)) for name, persons in found.items()}
    views = person_views(labels.keypoints, labels.labelled, labels.joints)
    keys = [key for key in figures[first] if not key.startswith('kind_')]
    rows = [[name, *(f'{figures[name][key]:.1f}' for key in keys)] for name in found]
    sys.stdout.write(f'{int(count.astype(bool).sum())} persons, {int(count.sum())} joints, in percent\n')
    sys.stdout.write(format_table(['', *keys], rows) + '\n')
    rates = {name: by_view(persons, views) for name, persons in found.items()}
    heads = [f'{name} ({int(mask.sum())})' for name, mask in views.items()]
    rows = [[name, *(f'{rate:.1f}' for rate in found_rates.values())] for name, found_rates in rates.items()]
    if views:
        sys.stdout.write('right joints by view (persons)\n' + format_table(['', *heads], rows) + '\n')
    for name in list(found)[1:]:
        leads = figures[name]['first_minus_this'].items()
        text = (f'{key} {d["mean"]:+.1f} [{d["low"]:+.1f}, {d["high"]:+.1f}]' for key, d in leads)
        sys.stdout.write(f'{first} minus {name}, in points: {", ".join(text)}\n')
    both = {name: int((swapped[first] & other).sum()) for name, other in swapped.items()}
    sys.stdout.write('persons mirrored as a whole\n')
    rows = [[name, str(int(swapped[name].sum())), str(both[name])] for name in found]
    sys.stdout.write(format_table(['', 'persons', f'and by {first}'], rows) + '\n')
    if args.out:
        content = dict(
            config=args.config,
            metrics={'TorsoPCK@0.2': figures[first]['joints']},
            persons=int(count.astype(bool).sum()),
            persons_with_all_limbs=int(common[:, is_limb(labels.joints)].all(1).sum()),
            figures=figures,
            views=dict(persons={name: int(mask.sum()) for name, mask in views.items()}, right_joints=rates),
            mirrored={name: dict(persons=int(swapped[name].sum()), and_by_the_first=both[name]) for name in found},
            hits={name: encode(right_joints(persons)) for name, persons in found.items()},
            labelled=encode(common),
            machine=describe_machine(),
        )
        write_results(args.out, content)


if __name__ == '__main__':
    main()
