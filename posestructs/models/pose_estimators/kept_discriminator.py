"""Discriminator that is kept at test time, where it gives the probability that each predicted joint is right.

P of Adversarial PoseNet is trained to tell right joints of predicted maps, those within ``adversarial.delta`` of their
place, from wrong ones (label rule 'p_fake'). Its score of a predicted joint is therefore an estimate of that
probability. It costs a forward pass of P for each image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from posestructs.utils.checks import check_choice

_MAPS = ('heatmaps', 'occlusion_heatmaps')


class KeptDiscriminatorMixin:
    """Mixin, listed before ``TopdownPoseEstimator``, that adds ``keypoints_correct`` of the discriminator ``keep``."""

    keep: str | None

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Joints of each image, with ``keypoints_correct`` where a discriminator is kept.

        Args:
            inputs: (N, 3, h, w) images.
            data_samples: N samples.

        Returns:
            list[PoseDataSample]: The samples, with ``pred_instances``.
        """
        if self.keep is None:
            return super().predict(inputs, data_samples)
        feats = self.extract_feat(inputs)
        if self.test_cfg.get('flip_test', False):
            feats = [feats, self.extract_feat(inputs.flip(-1))]
        preds, fields = self.head.predict(feats, data_samples, test_cfg=dict(self.test_cfg, output_heatmaps=True))
        maps = torch.stack([torch.cat([field.get(key) for key in _MAPS if key in field]) for field in fields])
        correct = self.discriminator_logits(self.keep, maps, inputs).sigmoid().float().cpu().numpy()
        for pred, probability in zip(preds, correct, strict=True):
            pred.keypoints_correct = probability[None]
            pred.keypoints_visible = pred.keypoints_correct.copy()
        if not self.test_cfg.get('output_heatmaps', False):
            fields = None
        return self.add_pred_to_datasample(preds, fields, data_samples)


def check_kept(name: str, label_rules: Mapping[str, str], test_cfg: Mapping[str, Any]) -> None:
    """Refuse a discriminator that does not tell right joints from wrong ones, or a second source of the probability.

    Args:
        name: Name of the discriminator.
        label_rules: Label rules by name.
        test_cfg: The model's ``test_cfg``.

    Raises:
        ValueError: It is not allowed.
    """
    check_choice('keep', name, [key for key, rule in label_rules.items() if rule == 'p_fake'])
    if test_cfg.get('calibration') is not None:
        raise ValueError(f'keep={name!r} and test_cfg.calibration both give keypoints_correct, allowed: one of them')


def check_weights(name: str, network: nn.Module, state_dict: Mapping[str, Any], prefix: str) -> None:
    """Refuse a checkpoint without the weights of the discriminator, which would predict by random ones.

    Args:
        name: Name of the discriminator.
        network: The discriminator.
        state_dict: Weights by name.
        prefix: Prefix of the discriminator.

    Raises:
        ValueError: Some are missing.
    """
    missing = [key for key in network.state_dict() if prefix + key not in state_dict]
    if missing:
        raise ValueError(
            f'keep={name!r}, and the checkpoint lacks {len(missing)} of the weights of this discriminator, the first: '
            f'{prefix}{missing[0]}; load one of a run that trained it, or set keep=None'
        )
