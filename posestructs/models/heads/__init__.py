"""Heads that predict maps and decode them to joints."""

from posestructs.models.heads.adversarial_head import AdversarialHead
from posestructs.models.heads.part_score_head import PartScoreHead

__all__ = ['AdversarialHead', 'PartScoreHead']
