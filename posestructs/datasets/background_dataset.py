"""Images without persons, as negative samples of part detectors."""

from __future__ import annotations

import os.path as osp
from typing import Any

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.image_checks import read_size
from posestructs.datasets.instances import box_from_joints, make_instance
from posestructs.datasets.readers import read_lines
from posestructs.structures.metainfo import metainfo_file
from posestructs.utils.checks import check_choice, check_number


@DATASETS.register_module()
class BackgroundDataset(CheckedPoseMixin, BaseCocoStyleDataset):
    """Images without persons, beside a data set of persons; for training only.

    The code of Chu et al. (CVPR 2016) trains on as many of them (INRIA's) as of persons. Each image is one sample
    without a labelled joint. The codec decides how it is used: ``PartScoreMap(unlabelled='background')`` samples all of
    its cells as background. Either each data set has a pipeline and a codec of its own, inside mmengine's
    ``ConcatDataset``::

        dict(type='ConcatDataset', ignore_keys=['dataset_name'], datasets=[
            dict(type='LSPDataset', ..., pipeline=[..., dict(type='GenerateTarget', encoder=codec), ...]),
            dict(type='BackgroundDataset', ann_file='negatives.txt', data_root='data/inria', pipeline=[
                ..., dict(type='GenerateTarget', encoder=dict(codec, unlabelled='background')), ...])])

    Or they share the pipeline and the codec of a ``CombinedDataset``, since the data sets of persons here leave out
    those without a labelled joint.

    Args:
        ann_file: Text file with one image name per line (a folder's: ``ls images > negatives.txt``).
        metainfo: Metainfo of the data set of persons. Defaults to LSP's.
        box_side: Side of a sample's box relative to that of its image, about the image's centre. ``GetBBoxCenterScale``
            adds its padding to it. Defaults to 0.8: the image, by a padding of 1.25.
        data_prefix: Folder of the images under the key ``img``. Defaults to ``images``.
        **kwargs: Arguments of :class:`CheckedPoseMixin` and of mmpose's data sets.

    Raises:
        ValueError: A value is not allowed.
        FileNotFoundError: A file is missing.
        AnnotationError: The file names no image.
    """

    METAINFO: dict = dict(from_file=metainfo_file('lsp'))

    def __init__(self, ann_file: str, *, box_side: float = 0.8, data_prefix: dict | None = None, **kwargs: Any) -> None:
        self.box_side = check_number('box_side', box_side, above=0)
        if kwargs.get('test_mode') or kwargs.get('bbox_file'):
            raise ValueError('BackgroundDataset is for training and takes neither test_mode nor bbox_file')
        check_choice('data_mode', kwargs.get('data_mode', 'topdown'), ('topdown',))
        super().__init__(ann_file=ann_file, data_prefix=data_prefix or dict(img='images'), **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        # as the data sets of persons have it, beside which this one stands
        return dict(super()._load_metainfo(metainfo), CLASSES=[dict(id=1, name='person')])

    def load_data_list(self) -> list[dict]:
        """One sample per image; its box follows in :meth:`get_data_info`, which reads the size of the image."""
        names = read_lines(self.ann_file)
        count = len(self._metainfo['keypoint_id2name'])
        nowhere, unlabelled = np.zeros((count, 2)), np.zeros(count, dtype=bool)
        return [
            make_instance(
                nowhere,
                unlabelled,
                None,
                np.zeros((1, 4), np.float32),
                img_path=osp.join(self.data_prefix['img'], name),
                img_id=number,
                ann_id=number,
            )
            for number, name in enumerate(names, start=1)
            if number % self.sample_interval == 0
        ]

    def get_data_info(self, idx: int) -> dict:
        """One sample, with its box.

        Args:
            idx: Index of the sample.

        Returns:
            dict: mmpose's fields.
        """
        info = super().get_data_info(idx)
        size = read_size(info['img_path']) or (1, 1)  # the loading transform reports an unreadable file
        corners = np.array([(0, 0), size[:2]], dtype=np.float64)
        info['bbox'] = box_from_joints(corners, np.ones(2, dtype=bool), self.box_side)
        return info
