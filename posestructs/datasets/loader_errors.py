"""Translate errors of other projects' image loaders to :class:`BadImageError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmcv.transforms import LoadImageFromFile

from posestructs.datasets.errors import BadImageError


def apply_step(transform: Callable, results: dict) -> Any:
    """Apply one step of a pipeline; a loader of another project raises :class:`BadImageError` for a bad image too.

    Args:
        transform: The step.
        results: A sample.

    Returns:
        Any: Result of the step.

    Raises:
        BadImageError: The step is a loader and its image is missing or cannot be decoded.
    """
    try:
        return transform(results)
    except BadImageError:
        raise
    except (OSError, AssertionError) as error:  # what mmcv's and mmpose's loaders raise for a bad file
        if isinstance(transform, LoadImageFromFile) and results.get('img_path'):
            raise BadImageError(results['img_path'], str(error)) from error
        raise


def apply_steps(pipeline: Callable, results: dict) -> Any:
    """Apply all steps of a pipeline by :func:`apply_step`.

    Args:
        pipeline: mmengine's ``Compose``, or one step.
        results: A sample.

    Returns:
        Any: Result of the last step; ``None`` where one refuses the sample.

    Raises:
        BadImageError: An image is missing or cannot be decoded.
    """
    for transform in getattr(pipeline, 'transforms', [pipeline]):
        results = apply_step(transform, results)
        if results is None:
            return None
    return results
