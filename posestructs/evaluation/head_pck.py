"""HeadPCK: PCK over the head's size (MPII's PCKh), for any data set with ``head_size``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpose.registry import METRICS

from posestructs.evaluation.pck import PCK
from posestructs.evaluation.person_metric import Persons
from posestructs.utils.arrays import to_array


@METRICS.register_module()
class HeadPCK(PCK):
    """PCK over the head's size, with the counts that a visible/occluded split needs.

    MPII's own number stays that of mmpose's ``MpiiPCKAccuracy``, which ``HeadPCK(thr=0.5, offset=1.0,
    exclude=['pelvis', 'thorax'])`` reproduces. See :class:`PCK` for the keys of the result.

    Args:
        thr: Fraction of the head's size, or several.
        offset: Pixels added to predictions. MPII's targets count pixels from 1, and mmpose's metric adds 1.
        kwargs: See :class:`PCK`.
    """

    def __init__(self, thr: float | Sequence[float] = 0.5, offset: float = 0.0, **kwargs) -> None:
        super().__init__(thr=thr, **kwargs)
        self.offset = float(offset)

    def collect(self, sample: Mapping[str, Any]) -> Persons:
        """Joints, with the offset added, and head sizes of one sample's persons."""
        persons = super().collect(sample)
        persons['pred'] = persons['pred'] + self.offset
        return persons

    def reference(self, sample: Mapping[str, Any], persons: Persons) -> np.ndarray:
        """(N,) head sizes."""
        if 'head_size' not in sample['gt_instances']:
            raise ValueError(
                f"{self.name}: a data sample has no gt_instances.head_size; mmpose's MPII data set gives it with "
                "`headbox_file='<...>/mpii_gt_val.mat'` and `test_mode=True`"
            )
        return to_array(sample['gt_instances']['head_size'])
