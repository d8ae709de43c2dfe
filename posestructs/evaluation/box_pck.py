"""BoxPCK: PCK over the size of the person's bounding box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.pck import PCK
from posestructs.evaluation.person_metric import Persons
from posestructs.structures.box_size import box_size
from posestructs.utils.arrays import to_array


@METRICS.register_module()
class BoxPCK(PCK):
    """PCK over the longer side of the box that the data set gives, with the counts that a visible/occluded split needs.

    The reference is that of mmpose's ``PCKAccuracy(norm_item='bbox')``. See :class:`PCK` for the keys of the result.

    Args:
        thr: Fraction of the box's longer side, or several.
        **kwargs: Arguments of :class:`PCK`.
    """

    def __init__(self, thr: float | Sequence[float] = 0.05, **kwargs) -> None:
        super().__init__(thr=thr, **kwargs)

    def reference(self, sample: Mapping[str, Any], persons: Persons) -> np.ndarray:
        """(N,) longer sides."""
        if 'bboxes' not in sample['gt_instances']:
            raise ValueError(f'{self.name}: a data sample has no gt_instances.bboxes')
        return box_size(to_array(sample['gt_instances']['bboxes']))
