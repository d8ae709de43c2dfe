"""Kinematic trees, and the deformation models fitted to them."""

from posestructs.structures.deformation import RELEASE_WEIGHT, Deformation
from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.tree_config import build_tree

__all__ = ['RELEASE_WEIGHT', 'Deformation', 'KinematicTree', 'build_tree']
