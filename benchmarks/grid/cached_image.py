"""Images decoded once and kept, so that decoding does not limit a fast device."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from mmengine.dataset import BaseDataset
from mmpose.registry import TRANSFORMS

from posestructs.datasets.transforms import LoadVerifiedImage


@TRANSFORMS.register_module()
class LoadCachedImage(LoadVerifiedImage):
    """``LoadVerifiedImage`` that keeps what it decoded, for all data sets of the process.

    What is kept before a data loader starts its workers is shared with them; what a worker decodes stays with it.
    """

    kept: ClassVar[dict[str, np.ndarray]] = {}

    def load(self, path: str) -> np.ndarray:
        """The image of a path; later steps get a copy, which they may change.

        Args:
            path (str): The file.

        Returns:
            np.ndarray: (H, W, 3) uint8.
        """
        if path not in self.kept:
            self.kept[path] = super().load(path)
        return self.kept[path].copy()


def preload(dataset: BaseDataset) -> None:
    """Decode all images of a data set, for the processes that will load it.

    Args:
        dataset: Built, with :class:`LoadCachedImage` in its pipeline; one whose images are drawn is left alone.
    """
    loader = LoadCachedImage()
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        if 'img' in info:
            return
        loader.load(info['img_path'])
