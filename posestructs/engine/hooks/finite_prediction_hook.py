"""Refuse to score predictions that are NaN or infinite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample

from posestructs.utils.arrays import to_array
from posestructs.utils.usage import UsageError


@HOOKS.register_module()
class FinitePredictionHook(Hook):
    """Stop a test at the first joint whose position or score is not finite; warn of them in validation.

    mmpose's codecs give a joint of maps of NaN some position, and metrics count it as wrong without a word.
    ``tools/train.py`` and ``tools/test.py`` have the hook by themselves; elsewhere name it in ``custom_hooks``.
    """

    def __init__(self) -> None:
        self._odd: list[str] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin to count."""
        self._odd = []

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: Sequence | None = None
    ) -> None:
        """Count the persons of a batch.

        Args:
            runner: Not used.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Samples with predictions.
        """
        self._odd += filter(None, map(not_finite, outputs or ()))

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Warn of what was counted.

        Args:
            runner: Gives the logger.
            metrics: Not used.
        """
        if self._odd:
            runner.logger.warning(
                f'predictions of {len(self._odd)} persons are not finite, so that the metrics mean little; the first: '
                f'{self._odd[0]}'
            )

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: Sequence | None = None
    ) -> None:
        """Refuse the predictions of a batch.

        Args:
            runner: Not used.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Samples with predictions.

        Raises:
            UsageError: One is not finite; names its image.
        """
        odd = next(filter(None, map(not_finite, outputs or ())), None)
        if odd:
            raise UsageError(f'a prediction is not finite, as of a model that has diverged: {odd}')


def not_finite(sample: PoseDataSample) -> str | None:
    """Describe the first prediction of a sample that is not finite.

    Args:
        sample: A sample; of one without predicted joints nothing is known.

    Returns:
        str | None: Field, value and image.
    """
    found = getattr(sample, 'pred_instances', None)
    for key in ('keypoints', 'keypoint_scores'):
        values = None if found is None or key not in found else to_array(found[key])
        if values is not None and not np.isfinite(values).all():
            value = values[~np.isfinite(values)][0]
            return f'{key} has {value:g} (image {sample.metainfo.get("img_path", "unknown")})'
    return None
