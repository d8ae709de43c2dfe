"""Base of the data sets that are read from files of their own format."""

from __future__ import annotations

import os
from typing import Any

from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.readers import require_file
from posestructs.utils.checks import check_number, invalid_value

__all__ = ['CheckedPoseDataset', 'CheckedPoseMixin']


class CheckedPoseDataset(CheckedPoseMixin, BaseCocoStyleDataset):
    """Base of the data sets whose annotation file is not COCO's.

    Args:
        bbox_padding: Side of a person's box over the side of the tight box around the labelled joints, for data sets
            that have no boxes. mmpose's ``GetBBoxCenterScale`` adds its 1.25 in the pipeline.
        id_file: Text file of the persons to use, in place of a split.
        **kwargs: Arguments of :class:`CheckedPoseMixin` and of mmpose's data sets, except ``bbox_file``.
    """

    split = 'all'

    def __init__(self, *args: Any, bbox_padding: float = 1.0, id_file: str | None = None, **kwargs: Any) -> None:
        self.bbox_padding = check_number('bbox_padding', bbox_padding, above=0)
        if id_file is not None and self.split != 'all':
            raise ValueError(f'give split or id_file, not both: split={self.split!r}, id_file={id_file!r}')
        if kwargs.get('bbox_file'):
            raise invalid_value(f'{type(self).__name__}.bbox_file', kwargs['bbox_file'], 'None')
        self.id_file = id_file
        super().__init__(*args, **kwargs)

    def _file_is_target(self) -> bool:
        return False  # mmpose offers every annotation file to CocoMetric, which can read none but COCO's

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return dict(super()._load_metainfo(metainfo), CLASSES=[dict(id=1, name='person')])

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.id_file and self.data_root:
            self.id_file = os.path.join(self.data_root, self.id_file)

    def full_init(self) -> None:
        """Load the annotations, unless done."""
        if self.id_file is not None and not self._fully_initialized:
            require_file('id_file', self.id_file)
        super().full_init()
