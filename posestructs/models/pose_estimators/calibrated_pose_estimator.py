"""Top-down estimators that predict the probability that each joint is right, by a calibration of scores or maps.

``test_cfg=dict(calibration='calibration.json')`` names a file of ``tools/analysis/fit_calibration.py``. Predictions
then have ``keypoints_correct`` (N, K), the probability that each joint is right. It is also what ``keypoints_visible``
holds, so that thresholds of drawing (``kpt_thr``) are probabilities. A file of ``--method features`` reads the heatmaps
as well; where it was fitted with ``--cut-persons``, predictions have ``keypoints_present`` too, the probability that
each joint is in the image. ``test_cfg=dict(output_features=dict(mirror=[...], links=[...]))`` adds the features
themselves as ``keypoint_features`` (N, K, F), for fitting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmpose.models import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.utils.tensor_utils import to_numpy

from posestructs.structures.feature_calibration import FeatureCalibration, load_calibration
from posestructs.structures.joint_features import joint_features
from posestructs.utils.model_fingerprint import model_fingerprint


class CalibrationMixin:
    """Mixin, listed before ``TopdownPoseEstimator``, that applies ``test_cfg.calibration`` to predictions.

    Raises:
        ValueError: The file is missing, damaged or has another number of joints, at build time. At the first prediction
            after weights were loaded or trained: the file was fitted to other weights, other joints or another
            ``flip_test``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        path = self.test_cfg.get('calibration')
        self.calibration = None if path is None else load_calibration(path)
        self._calibration_checked = False
        self._features = self.test_cfg.get('output_features')
        self._reads_maps = self._features is not None or isinstance(self.calibration, FeatureCalibration)
        self._gives_maps = bool(self.test_cfg.get('output_heatmaps', False))
        if self._reads_maps:
            self.test_cfg = dict(self.test_cfg, output_heatmaps=True)
        joints = getattr(getattr(self, 'head', None), 'out_channels', None)
        if self.calibration is not None and isinstance(joints, int) and joints != len(self.calibration.joints):
            raise ValueError(
                f'test_cfg.calibration={path!r} is of {len(self.calibration.joints)} joints '
                f'({", ".join(self.calibration.joints)}), the head gives {joints}'
            )

    def train(self, mode: bool = True) -> Any:
        """Switch the mode; weights may differ after training."""
        if mode:
            self._calibration_checked = False
        return super().train(mode)

    def add_pred_to_datasample(
        self, batch_pred_instances: list, batch_pred_fields: Any, batch_data_samples: list
    ) -> list:
        """Add the probabilities, then do as mmpose does."""
        if self.calibration is not None and not self._calibration_checked:
            self.check_calibration()
        if self._reads_maps:
            self._add_from_maps(batch_pred_instances, batch_pred_fields)
            batch_pred_fields = batch_pred_fields if self._gives_maps else None
        elif self.calibration is not None:
            for pred in batch_pred_instances:
                pred.keypoints_correct = self.calibration.apply(to_numpy(pred.keypoint_scores)).astype(np.float32)
        for pred in batch_pred_instances if self.calibration is not None else ():
            if 'keypoints_visible' not in pred:
                pred.keypoints_visible = pred.keypoints_correct.copy()
        return super().add_pred_to_datasample(batch_pred_instances, batch_pred_fields, batch_data_samples)

    def _add_from_maps(self, preds: list, fields: Any) -> None:
        """Add probabilities of a feature calibration, and the features."""
        count = preds[0].keypoints.shape[1]
        maps = [to_numpy(field.get('heatmaps')) for field in fields or () if 'heatmaps' in field]
        if len(maps) != len(preds) or any(m.ndim != 3 or len(m) != count for m in maps):
            raise ValueError(
                f'test_cfg: features of joints need one heatmap for each of the {count} joints, which '
                f'{type(self.head).__name__} does not give'
            )
        maps = np.stack(maps)
        occluded = None
        if 'keypoints_occluded' in preds[0]:
            occluded = np.concatenate([to_numpy(pred.keypoints_occluded) for pred in preds])
        if self._features is not None:
            features = joint_features(maps, self._features['mirror'], self._features['links'], occluded)
            for pred, one in zip(preds, features, strict=True):
                pred.keypoint_features = one[None].astype(np.float32)
        if isinstance(self.calibration, FeatureCalibration):
            for key, values in self.calibration.apply(maps, occluded).items():
                for pred, one in zip(preds, values, strict=True):
                    pred.set_field(one[None].astype(np.float32), key)

    def check_calibration(self) -> None:
        """Compare the calibration with weights, joints and ``flip_test`` of the model.

        Raises:
            ValueError: It was fitted to others.
        """
        found, path = self.calibration, self.test_cfg['calibration']
        advice = 'fit one with tools/analysis/fit_calibration.py, or leave test_cfg.calibration out'
        own = model_fingerprint(self)
        if found.fingerprint != own:
            raise ValueError(
                f'test_cfg.calibration={path!r} was fitted to other weights '
                f'(fingerprint {found.fingerprint}, here {own}): {advice}'
            )
        flip_test = bool(self.test_cfg.get('flip_test', False))
        if found.flip_test != flip_test:
            raise ValueError(
                f'test_cfg.calibration={path!r} was fitted with flip_test={found.flip_test}, test_cfg has {flip_test}: '
                f'{advice}'
            )
        meta = getattr(self, 'dataset_meta', None) or {}
        names = meta.get('keypoint_id2name')
        if names and [names[i] for i in range(len(names))] != list(found.joints):
            raise ValueError(
                f'test_cfg.calibration={path!r} is of the joints {list(found.joints)}, the model of {names}'
            )
        self._calibration_checked = True


@MODELS.register_module()
class CalibratedPoseEstimator(CalibrationMixin, TopdownPoseEstimator):
    """mmpose's ``TopdownPoseEstimator`` with ``test_cfg.calibration``, for any head and any checkpoint of mmpose.

    ``AdversarialPoseEstimator`` and ``StructuredPoseEstimator`` read ``test_cfg.calibration`` themselves.

    Example:
        >>> model = dict(
        ...     type='CalibratedPoseEstimator',  # in the place of TopdownPoseEstimator
        ...     test_cfg=dict(flip_test=True, calibration='calibration.json'),
        ... )
    """
