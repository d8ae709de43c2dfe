"""KeypointCalibration: calibration and ranking of joint scores and of occlusion probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpose.registry import METRICS

from posestructs.evaluation.calibration import auroc, average_precision, reliability, risk_coverage, summary
from posestructs.evaluation.calibration_plot import draw_calibration
from posestructs.evaluation.occlusion import OCCLUDED, UNKNOWN, split_masks
from posestructs.evaluation.pck import PCK
from posestructs.evaluation.person_metric import PersonMetric, Persons
from posestructs.evaluation.tables import format_table
from posestructs.utils.arrays import to_array
from posestructs.utils.checks import check_choice, check_integer, invalid_value
from posestructs.utils.files import atomic_write

FIELDS = ('keypoints_correct', 'keypoint_scores')
OCCLUSION = 'keypoints_occluded'


@METRICS.register_module()
class KeypointCalibration(PersonMetric):
    """Calibration and ranking of the joints' scores.

    A joint is right if ``base`` counts it as correct. The result holds, under ``KeypointCalibration/<field>/``, the
    numbers of :func:`~posestructs.evaluation.calibration.summary` as fractions: ``ECE``, ``Brier``, ``AUROC`` of wrong
    joints, ``PCK_of_trusted_50``, ``AURC``. If the model predicts occlusion and the data label it, there are
    ``KeypointCalibration/keypoints_occluded/`` ``AUROC``, ``AP`` and ``ECE``. What cannot be measured, such as the
    AUROC of a split in which every joint is right, is left out with a warning.

    Args:
        base: Config of a PCK with one threshold.
        field: Score to evaluate, 'keypoints_correct' or 'keypoint_scores'; by default the former where the model
            predicts it.
        bins: Bins of the reliability diagram and of the ECE.
        out_dir: Folder for ``calibration.json`` and ``calibration.png`` with the reliability diagram and the
            risk-coverage curve.
        kwargs: See :class:`PersonMetric`.
    """

    def __init__(
        self,
        base: Mapping[str, Any] | PCK | None = None,
        field: str | None = None,
        bins: int = 15,
        out_dir: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        base = dict(type='TorsoPCK', thr=0.2) if base is None else base
        self.base = METRICS.build(base) if isinstance(base, Mapping) else base
        if not isinstance(self.base, PCK) or len(self.base.thr) != 1:
            raise invalid_value(f'{self.name}.base', base, 'the config of a PCK with one threshold')
        self.field = check_choice(f'{self.name}.field', field, (None, *FIELDS))
        self.bins = check_integer(f'{self.name}.bins', bins, 2)
        self.out_dir = out_dir

    def resolve(self, meta: dict) -> None:
        """Hand the metainfo to the base."""
        self.base.dataset_meta = meta

    @property
    def needs(self) -> str:
        """What a person must have to be measured by the base."""
        return self.base.needs

    def measurable(self, persons: Persons) -> np.ndarray:
        """(N,) bool, persons whose labels suffice for the base."""
        return self.base.measurable(persons)

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Joints, reference lengths, scores and occlusion of one sample's persons."""
        persons = self.base.collect(sample)
        found, shape = sample['pred_instances'], persons['labelled'].shape
        for name in (*FIELDS, OCCLUSION):
            value = np.full(shape, np.nan) if name not in found else np.asarray(to_array(found[name]), np.float64)
            if value.shape != shape:
                raise ValueError(f'{self.name}: pred_instances.{name}.shape={value.shape}, allowed: {shape}')
            bad = persons['labelled'] & ~np.isfinite(value)
            if name in found and bad.any():
                joint = int(np.argwhere(bad)[0][1])
                raise ValueError(
                    f'{self.name}: pred_instances.{name} of joint {joint} is {value[bad][0]} in image '
                    f'{sample.get("img_path", "unknown")}'
                )
            persons[name] = value
            persons[f'has_{name}'] = np.full(len(persons['gt']), name in found)
        labels = sample['gt_instances'].get(OCCLUSION)
        persons['occluded'] = np.full(shape, UNKNOWN) if labels is None else to_array(labels).astype(int)
        return persons

    def measure(self, persons: Persons) -> dict[str, float]:
        """Compute the metrics of the joints' scores and of occlusion."""
        field = self._field(persons)
        measured, right = self._right(persons)
        score = persons[field][measured]
        stem = f'{self.name}/{field}'
        numbers = summary(score, right[measured], self.bins)
        if 'AUROC' not in numbers:
            self.warn(f'all measured joints are {"right" if right[measured].all() else "wrong"}: there is no AUROC')
        if numbers['clipped']:
            self.warn(f'{numbers["clipped"]} values of {field} are not within 0 to 1 and are clipped for ECE and Brier')
        out = {f'{stem}/{key}': value for key, value in numbers.items()}
        if persons[f'has_{OCCLUSION}'].all():
            out |= self._occlusion(persons)
        if self.out_dir is not None:
            self._write(field, score, right[measured], out)
        return out

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Measure everything that was kept, and log a table of fractions."""
        if not results:
            raise ValueError(f'{self.name}: there are no predictions to measure')
        persons = {key: np.concatenate([r[key] for r in results]) for key in results[0]}
        metrics = self.measure(persons)
        rows = [[key.removeprefix(f'{self.name}/'), f'{value:.4g}'] for key, value in metrics.items()]
        print_log(f'{self.name}\n{format_table(["", "value"], rows)}', logger='current')
        return metrics

    def _field(self, persons: Persons) -> str:
        for field in FIELDS if self.field is None else (self.field,):
            if persons[f'has_{field}'].all():
                return field
        wanted = self.field or ' or '.join(FIELDS)
        raise ValueError(
            f'{self.name}: the model predicts no {wanted} for every person; keypoints_correct needs '
            'model.test_cfg.calibration, see tools/analysis/fit_calibration.py'
        )

    def _right(self, persons: Persons) -> tuple[np.ndarray, np.ndarray]:
        """Joints that can be measured and those that are right, both (N, K)."""
        reference = persons['reference'][:, None]
        measured = persons['labelled'] & (reference > self.base.min_length)
        if not measured.any():
            raise ValueError(f'{self.name}: nothing to measure: no person has a reference length and a labelled joint')
        delta = np.where(measured[..., None], persons['pred'].astype(np.float64) - persons['gt'], np.inf)
        with np.errstate(invalid='ignore'):
            return measured, np.hypot(delta[..., 0], delta[..., 1]) <= self.base.thr[0] * reference

    def _occlusion(self, persons: Persons) -> dict[str, float]:
        masks = split_masks(persons['labelled'], persons['occluded'])
        known = masks['visible'] | masks['occluded']
        score, occluded = persons[OCCLUSION][known], persons['occluded'][known] == OCCLUDED
        if not occluded.any() or occluded.all():
            self.warn(
                f'of {known.sum()} joints with known occlusion {occluded.sum()} are occluded: there is no AUROC of it'
            )
            return {}
        stem = f'{self.name}/{OCCLUSION}'
        return {
            f'{stem}/AUROC': auroc(score, occluded),
            f'{stem}/AP': average_precision(score, occluded),
            f'{stem}/ECE': reliability(np.clip(score, 0, 1), occluded, self.bins).ece(),
            f'{stem}/occluded': float(occluded.mean()),
            f'{stem}/joints': int(known.sum()),
        }

    def _write(self, field: str, score: np.ndarray, right: np.ndarray, numbers: Mapping[str, float]) -> None:
        diagram = reliability(np.clip(score, 0, 1), right, self.bins)
        coverage = np.arange(1, 21) / 20
        curve = risk_coverage(score, right, coverage)
        bins = {key: [None if np.isnan(v) else float(v) for v in value] for key, value in diagram._asdict().items()}
        content = dict(
            field=field,
            metrics=numbers,
            reliability=bins,
            risk_coverage=dict(coverage=coverage.tolist(), right=curve.tolist()),
        )
        atomic_write(Path(self.out_dir, 'calibration.json'), (json.dumps(content, indent=1) + '\n').encode())
        figure = draw_calibration({field: diagram}, {field: curve}, coverage)
        figure.savefig(Path(self.out_dir, 'calibration.png'), dpi=130)
