"""Probabilities of joints from features of their heatmaps, by logistic regression, in a small json file.

Like :class:`~posestructs.structures.score_calibration.ScoreCalibration`, but what it reads is not the score alone:
:func:`~posestructs.structures.joint_features.joint_features` of all joints of a person. With z the features of joint
k::

    P(right) = sigmoid(bias_k + sum_f weight_f z_f)

A second regression of the same form may give the probability that the joint is in the image at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.structures.joint_features import NAMES, joint_features
from posestructs.structures.score_calibration import VERSION, ScoreCalibration
from posestructs.utils.files import atomic_write

METHOD = 'features'


@dataclass(frozen=True)
class Regression:
    """Logistic regression.

    Attributes:
        weights: Weight by name of the feature, one for each of ``joint_features.NAMES``.
        bias: (K,) constant of each joint.
    """

    weights: Mapping[str, float]
    bias: tuple[float, ...]

    def __post_init__(self) -> None:
        if sorted(self.weights) != sorted(NAMES):
            raise ValueError(f'weights of the features {sorted(self.weights)}, needed: {sorted(NAMES)}')
        values = np.array([*self.weights.values(), *self.bias], np.float64)
        if not np.isfinite(values).all():
            raise ValueError('a weight or bias is not finite')

    def probability(self, features: np.ndarray) -> np.ndarray:
        """(..., K, F) features to (..., K) probabilities."""
        logit = np.asarray(features) @ np.array([self.weights[name] for name in NAMES]) + np.array(self.bias)
        return 0.5 * (1 + np.tanh(logit / 2))


@dataclass(frozen=True)
class FeatureCalibration:
    """Regressions from features of heatmaps to probabilities.

    Attributes:
        joints: (K,) names.
        mirror: (K,) index of each joint's mirror joint.
        links: Pairs of joints that are neighbours.
        correct: Probability that a joint is right.
        present: Probability that a joint is in the image, ``None`` where it was not fitted.
        criterion: Criterion of a right joint, such as 'TorsoPCK@0.2'.
        fingerprint: Fingerprint of the model's weights.
        flip_test: Whether predictions were averaged with those of flipped images.
        source: Description of the data that the regressions were fitted on.
        report: Metrics of the scores and of the probabilities on held-out persons.
    """

    joints: tuple[str, ...]
    mirror: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    correct: Regression
    present: Regression | None
    criterion: str
    fingerprint: str
    flip_test: bool
    source: str = ''
    report: Mapping[str, Any] = field(default_factory=dict)
    method: str = METHOD

    def __post_init__(self) -> None:
        count = len(self.joints)
        if self.method != METHOD:
            raise ValueError(f'method={self.method!r}, allowed: {METHOD}')
        if not count or len(set(self.joints)) < count:
            raise ValueError(f'joints={list(self.joints)}, allowed: different names')
        if sorted(self.mirror) != list(range(count)) or any(not 0 <= i < count for link in self.links for i in link):
            raise ValueError(f'mirror={list(self.mirror)} or links={list(self.links)} do not fit {count} joints')
        for part in (self.correct, self.present):
            if part is not None and len(part.bias) != count:
                raise ValueError(f'{len(part.bias)} biases for {count} joints')

    def apply(self, maps: np.ndarray, occluded: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Probabilities of the joints.

        Args:
            maps: (N, K, H, W) heatmaps.
            occluded: (N, K) probability that each joint is occluded, if the model predicts it.

        Returns:
            dict[str, np.ndarray]: ``keypoints_correct`` and, if fitted, ``keypoints_present``, (N, K) each.

        Raises:
            ValueError: The number of maps is not that of the joints.
        """
        if maps.ndim != 4 or maps.shape[1] != len(self.joints):
            raise ValueError(f'the calibration has {len(self.joints)} joints, the maps have the shape {maps.shape}')
        features = joint_features(maps, self.mirror, self.links, occluded)
        found = dict(keypoints_correct=self.correct.probability(features))
        if self.present is not None:
            found['keypoints_present'] = self.present.probability(features)
        return found

    def save(self, path: str | Path) -> None:
        """Write the json file, atomically."""
        atomic_write(path, (json.dumps(dict(version=VERSION, **asdict(self)), indent=1) + '\n').encode())


def load_calibration(path: str | Path) -> ScoreCalibration | FeatureCalibration:
    """Read a calibration of either kind.

    Args:
        path: File of ``fit_calibration.py``.

    Returns:
        ScoreCalibration | FeatureCalibration: Its content.

    Raises:
        ValueError: The file is missing or not a calibration; names the file.
    """
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError, RecursionError):
        return ScoreCalibration.load(path)  # raises what is wrong
    if not isinstance(content, Mapping) or content.get('method') != METHOD:
        return ScoreCalibration.load(path)
    try:
        return _read(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f'calibration {path}: {error}') from error


def _read(content: Mapping[str, Any]) -> FeatureCalibration:
    fields = dict(content)
    if fields.pop('version', None) != VERSION:
        raise ValueError(f'not a file of fit_calibration.py (version {VERSION})')
    kinds = dict(criterion=str, fingerprint=str, flip_test=bool, source=str, report=dict, joints=list)
    for key, kind in kinds.items():
        if not isinstance(fields.get(key), kind):
            raise ValueError(f'{key}={fields.get(key)!r}, allowed: a {kind.__name__}')
    for key in ('correct', 'present'):
        part = fields[key]
        if part is not None or key == 'correct':
            fields[key] = Regression(dict(part['weights']), tuple(float(value) for value in part['bias']))
    return FeatureCalibration(
        **{
            **fields,
            'joints': tuple(fields['joints']),
            'mirror': tuple(int(i) for i in fields['mirror']),
            'links': tuple((int(a), int(b)) for a, b in fields['links']),
        }
    )
