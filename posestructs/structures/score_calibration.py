"""Calibration of a model's joint scores: one curve per joint, in a small json file.

A calibration belongs to one model: the file holds a fingerprint of its weights, its joints, and whether it was tested
with flipped images. It turns the score of a joint into the probability that the joint is right, where *right* means
``criterion``, such as ``TorsoPCK@0.2``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.utils.files import atomic_write

METHODS = ('isotonic', 'platt')
VERSION = 1


@dataclass(frozen=True)
class ScoreCalibration:
    """Curves from scores to probabilities.

    Attributes:
        joints: (K,) names.
        method: 'isotonic': each curve is ``[x, y]``, two equally long lists, linear between its points and constant
            outside; 'platt': each curve is ``[slope, offset]`` of a logistic function.
        curves: (K,) curves.
        criterion: Criterion of a right joint, such as 'TorsoPCK@0.2'.
        fingerprint: Fingerprint of the model's weights.
        flip_test: Whether predictions were averaged with those of flipped images.
        source: Description of the data that the curves were fitted on.
        report: Metrics of the scores and of the probabilities on held-out persons.
    """

    joints: tuple[str, ...]
    method: str
    curves: tuple
    criterion: str
    fingerprint: str
    flip_test: bool
    source: str = ''
    report: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f'method={self.method!r}, allowed: {", ".join(METHODS)}')
        if len(self.curves) != len(self.joints) or len(set(self.joints)) < len(self.joints) or not self.joints:
            raise ValueError(f'{len(self.curves)} curves for the joints {list(self.joints)}, needed: one for each')
        for name, curve in zip(self.joints, self.curves, strict=True):
            _check_curve(name, self.method, curve)

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities that joints are right.

        Args:
            scores: (..., K) scores of the model.

        Returns:
            np.ndarray: (..., K) from 0 to 1, NaN where a score is NaN.

        Raises:
            ValueError: The number of joints differs.
        """
        scores = np.asarray(scores, np.float64)
        if scores.shape[-1] != len(self.joints):
            raise ValueError(f'the calibration has {len(self.joints)} joints, the scores have {scores.shape[-1]}')
        out = np.empty_like(scores)
        for k, (first, second) in enumerate(self.curves):
            if self.method == 'isotonic':
                out[..., k] = np.interp(scores[..., k], first, second)
            else:
                # 1 / (1 + exp(-z)), which overflows for no z
                out[..., k] = 0.5 * (1 + np.tanh((first * scores[..., k] + second) / 2))
        return np.where(np.isnan(scores), np.nan, out)

    def save(self, path: str | Path) -> None:
        """Write the json file.

        Args:
            path: The file, which is written atomically.
        """
        atomic_write(path, (json.dumps(dict(version=VERSION, **asdict(self)), indent=1) + '\n').encode())

    @classmethod
    def load(cls, path: str | Path) -> ScoreCalibration:
        """Read a json file.

        Args:
            path: The file.

        Returns:
            ScoreCalibration: Its content.

        Raises:
            ValueError: The file is missing or not a calibration; names the file.
        """
        try:
            content = json.loads(Path(path).read_text())
            return cls(**_fields(content))
        except OSError as error:
            raise ValueError(f'calibration {path}: {error.strerror or error}') from error
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f'calibration {path}: {error}') from error


def _fields(content: Any) -> dict[str, Any]:
    if not isinstance(content, Mapping) or content.get('version') != VERSION:
        raise ValueError(f'not a file of fit_calibration.py (version {VERSION})')
    fields = {key: value for key, value in content.items() if key != 'version'}
    kinds = dict(
        joints=list, method=str, curves=list, criterion=str, fingerprint=str, flip_test=bool, source=str, report=dict
    )
    for key, kind in kinds.items():
        if not isinstance(fields.get(key), kind):
            raise ValueError(f'{key}={fields.get(key)!r}, allowed: a {kind.__name__}')
    if not all(isinstance(name, str) for name in fields['joints']):
        raise ValueError(f'joints={list(fields["joints"])!r}, allowed: names')
    return dict(fields, joints=tuple(fields['joints']), curves=tuple(fields['curves']))


def _check_curve(name: str, method: str, curve: Any) -> None:
    if not isinstance(curve, Sequence) or len(curve) != 2:
        raise ValueError(f'the curve of {name} is not a pair')
    first, second = (np.asarray(part, np.float64) for part in curve)
    shapes = (first.ndim, second.shape) == ((1, first.shape) if method == 'isotonic' else (0, ()))
    if not shapes or not first.size or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f'the curve of {name} is not a finite {method} curve')
    if method == 'isotonic' and ((np.diff(first) < 0).any() or second.min() < 0 or second.max() > 1):
        raise ValueError(f'the curve of {name} is {curve}, allowed: rising x and probabilities from 0 to 1')
