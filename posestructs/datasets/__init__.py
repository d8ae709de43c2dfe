"""Data sets of poses, with occlusion labels where the files have them."""

from posestructs.datasets import transforms
from posestructs.datasets.background_dataset import BackgroundDataset
from posestructs.datasets.coco_occlusion_dataset import CocoOcclusionDataset
from posestructs.datasets.combined_dataset import CombinedDataset
from posestructs.datasets.errors import AnnotationError, BadImageError
from posestructs.datasets.flic_dataset import FLICDataset
from posestructs.datasets.lsp_dataset import LSPDataset
from posestructs.datasets.mpii_occlusion_dataset import MpiiOcclusionDataset
from posestructs.datasets.stick_figure_dataset import StickFigureDataset
from posestructs.structures.metainfo import load_metainfo, metainfo_file

__all__ = [
    'AnnotationError',
    'BackgroundDataset',
    'BadImageError',
    'CocoOcclusionDataset',
    'CombinedDataset',
    'FLICDataset',
    'LSPDataset',
    'MpiiOcclusionDataset',
    'StickFigureDataset',
    'load_metainfo',
    'metainfo_file',
    'transforms',
]
