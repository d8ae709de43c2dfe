"""Report of artificial occluders in test sets."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.logging import print_log

from posestructs.datasets.transforms.random_occluder import RandomOccluder


def report_occluders(dataset: Any) -> None:
    """Log that a test set is scored under artificial occluders, which another test set of the same files may not be.

    Args:
        dataset: Data set with a pipeline.
    """
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    step = next((step for step in steps if isinstance(step, RandomOccluder)), None)
    if step is not None and dataset.test_mode:
        print_log(
            f'{type(dataset).__name__} in test mode: RandomOccluder pastes artificial occluders into {step.prob:.0%} '
            'of the images. Scores differ from those without them',
            logger='current',
            level=logging.WARNING,
        )
