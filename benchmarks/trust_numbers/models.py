"""Predictions of a model for ``benchmarks/trust.py``, and what they are compared with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.apis.shipped_models import ShippedModel
from posestructs.evaluation.anatomy_report import Analysis, analyse
from posestructs.evaluation.calibration_fit import hold_out
from posestructs.evaluation.error_anatomy import GOOD
from posestructs.evaluation.prediction_files import Labels, match_predictions, read_predictions
from posestructs.structures.feature_calibration import FeatureCalibration, load_calibration
from posestructs.utils.files import atomic_write

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = 0.5
"""Share of the images to measure probabilities on, which ``fit_calibration.py`` holds out by default."""


@dataclass
class Predicted:
    """Predictions of a model for N labelled persons.

    Attributes:
        analysis: Kinds of errors, in the order of the labels.
        held: (N,) bool, persons that no calibration is fitted on.
        cut: Predictions for cut persons, ``None`` where they were not made.
        occluders: Predictions for persons under occluders, ``None`` likewise.
        features: Calibration from features, ``None`` likewise.
        checkpoint: Name of the weights, '' for predictions of another tool.
        report: What ``fit_calibration.py`` measured on cut persons.
    """

    analysis: Analysis
    held: np.ndarray
    cut: Path | None = None
    occluders: Path | None = None
    features: FeatureCalibration | None = None
    checkpoint: str = ''
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> np.ndarray:
        """(N, K) bool, joints with a label of persons with a size."""
        return self.analysis.errors.kind >= 0

    @property
    def right(self) -> np.ndarray:
        """(N, K) bool."""
        return self.analysis.errors.kind == GOOD

    @property
    def scores(self) -> np.ndarray:
        """(N, K) scores of the joints."""
        return self.analysis.matched.scores

    def from_features(self) -> np.ndarray | None:
        """(N, K) probabilities of the calibration from features."""
        if self.features is None:
            return None
        return self.features.correct.probability(self.analysis.matched.fields['keypoint_features'])


def predict(model: ShippedModel, folder: Path, options: Mapping[str, Any]) -> None:
    """Write a model's predictions into a folder: for the persons as they are, cut, and under occluders.

    Those of an earlier call are kept, unless they were made with other weights or options.
    """
    mark = dict(checkpoint=model.checkpoint.name, bytes=model.checkpoint.stat().st_size, options=dict(options))
    source = folder / 'source.json'
    known = source.is_file() and json.loads(source.read_text()) == mark
    flags = ['--cfg-options', *(f'{key}={value}' for key, value in options.items())] if options else []
    val, cut, test, features = (folder / name for name in ('val.pkl', 'cut.pkl', 'test.pkl', 'features.json'))
    if not (known and all(path.is_file() for path in (val, cut, features))):
        made = ['--method', 'features', '--cut-persons', '--dump', val, '--dump-cut', cut, '--out', features]
        _run('analysis/fit_calibration.py', model.config, model.checkpoint, *made, *flags)
    if not (known and test.is_file()):
        _run('test.py', model.config, model.checkpoint, '--dump', test, '--work-dir', folder / 'test', *flags)
    atomic_write(source, json.dumps(mark).encode())


def read_model(model: ShippedModel, folder: Path, labels: Labels) -> Predicted:
    """Read what :func:`predict` wrote."""
    features = load_calibration(folder / 'features.json')
    return Predicted(
        analyse(match_predictions(read_predictions(folder / 'val.pkl'), labels), labels),
        hold_out(labels.images, HELD_OUT),
        folder / 'cut.pkl',
        folder / 'test.pkl',
        features,
        model.checkpoint.name,
        features.report.get('present', {}),
    )


def read_baseline(file: Path, labels: Labels) -> Predicted:
    """Read predictions of another tool for the validation persons."""
    matched = match_predictions(read_predictions(file), labels)
    return Predicted(analyse(matched, labels), hold_out(labels.images, HELD_OUT))


def _run(tool: str, *args: object) -> None:
    subprocess.run([sys.executable, str(ROOT / 'tools' / tool), *map(str, args)], check=True)
