"""Encode joints to training targets, decode maps to joints."""

from posestructs.codecs.occlusion_heatmap import OcclusionHeatmap
from posestructs.codecs.part_score_map import PartScoreMap

__all__ = ['OcclusionHeatmap', 'PartScoreMap']
