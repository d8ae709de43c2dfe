"""Metainfo of the joints behind a data set's own pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy

from posestructs.structures.joint_conversion import pipeline_metainfo


class ConvertedMetainfo:
    """Mixin before a data set whose ``metainfo`` follows a ``KeypointConverter`` in its pipeline.

    Metrics, visualizers and checkpoints read ``metainfo``, and need that of the joints that samples end up with.
    """

    @property
    def metainfo(self) -> dict:
        """Metainfo of the joints behind the pipeline."""
        return deepcopy(pipeline_metainfo(self._metainfo, self._steps()))

    def _steps(self) -> Sequence[Callable]:
        return getattr(getattr(self, 'pipeline', None), 'transforms', ())

    def _converts(self) -> bool:
        """Check whether the pipeline converts the joints."""
        return any('KeypointConverter' in {c.__name__ for c in type(step).__mro__} for step in self._steps())
