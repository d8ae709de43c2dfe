"""Inference with trained models."""

from posestructs.apis.pose_inferencer import PoseInferencer
from posestructs.apis.shipped_models import ShippedModel, shipped_models

__all__ = ['PoseInferencer', 'ShippedModel', 'shipped_models']
