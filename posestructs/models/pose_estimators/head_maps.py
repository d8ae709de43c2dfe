"""Maps that discriminators read: those of a head's forward pass, and their targets. Any heatmap head of mmpose will do.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion: K pose maps, then K occlusion maps), H x W
cells; positions are (x, y) in cells.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from mmpose.models.losses import KeypointMSELoss
from mmpose.structures import MultilevelPixelData, PoseDataSample
from torch import Tensor, nn

from posestructs.layers.heatmaps import heatmap_maximum


class MapTargets(NamedTuple):
    """Ground truth of a batch, as discriminators need it.

    Attributes:
        maps: (N, C, H, W) target maps.
        known: (N, C, 1, 1) 1 where the target map is meaningful, 0 for an unlabelled joint or unknown occlusion.
        labelled: (N, K) 1 for a labelled joint in the image.
        cells: (N, K, 2) positions of the joints.
        sizes: (N,) size of each person in cells, 0 where it is unknown.
    """

    maps: Tensor
    known: Tensor
    labelled: Tensor
    cells: Tensor
    sizes: Tensor

    @property
    def num_joints(self) -> int:
        """K."""
        return self.labelled.shape[1]

    def weights(self, rule: str) -> Tensor:
        """Joints that count for a discriminator.

        Args:
            rule: Its label rule. 'p_fake' compares distances with the person's size, which therefore has to be known.

        Returns:
            Tensor: (N, K) of 0 and 1.
        """
        return self.labelled * (self.sizes > 0).unsqueeze(1) if rule == 'p_fake' else self.labelled

    def masked(self, maps: Tensor) -> Tensor:
        """Set the channels of unlabelled joints, and those of unknown occlusion, to zero.

        Targets are empty there: a discriminator would otherwise recognise predictions by these channels.

        Args:
            maps: (N, C, H, W).

        Returns:
            Tensor: (N, C, H, W), at least float32.
        """
        return maps.to(self.maps) * self.known


def losses_and_maps(
    head: nn.Module, feats: Any, samples: Sequence[PoseDataSample], train_cfg: dict
) -> tuple[dict, Tensor]:
    """Run a head once for both its losses and its maps.

    Args:
        head: :class:`~posestructs.models.heads.AdversarialHead`, or any heatmap head of mmpose.
        feats: Output of the neck or the backbone.
        samples: Labelled samples of the batch.
        train_cfg: The model's ``train_cfg``.

    Returns:
        tuple[dict, Tensor]: Losses of the head; (N, C, H, W) final maps.

    Raises:
        TypeError: The head's forward does not return maps.
    """
    if hasattr(head, 'loss_from_maps'):
        maps = head.forward(feats)
        return head.loss_from_maps(maps, samples, train_cfg), _final_maps(head, maps)
    with _recorded_forward(head) as outputs:
        losses = head.loss(feats, samples, train_cfg=train_cfg)
    return losses, _final_maps(head, outputs[-1])


@contextmanager
def _recorded_forward(head: nn.Module) -> Iterator[list]:
    """Record the outputs of ``head.forward``, which mmpose's ``loss`` calls directly, without hooks."""
    forward, outputs = head.forward, []

    def record(*args: Any, **kwargs: Any) -> Any:
        outputs.append(forward(*args, **kwargs))
        return outputs[-1]

    head.forward = record
    try:
        yield outputs
    finally:
        del head.forward  # uncovers the method of the class


def _final_maps(head: nn.Module, maps: Any) -> Tensor:
    """The maps of the last stack or stage."""
    last = maps[-1] if isinstance(maps, (list, tuple)) and len(maps) else maps
    if not isinstance(last, Tensor) or last.ndim != 4:
        found = f'a tensor {tuple(last.shape)}' if isinstance(last, Tensor) else f'a {type(last).__name__}'
        raise TypeError(
            f'discriminators need heatmaps (N, C, H, W), and {type(head).__name__} returns {found}: choose a heatmap '
            'head, or set discriminators=None'
        )
    return last


def read_targets(samples: Sequence[PoseDataSample], maps: Tensor) -> MapTargets:
    """Collect the ground truth of a batch, on the device of the maps.

    Positions and sizes come from :class:`~posestructs.codecs.OcclusionHeatmap`. Other codecs do not provide them; a
    joint is then at the maximum of its target map, and a person as large as the longer side of the box.

    Args:
        samples: Samples with ``gt_fields.heatmaps`` and ``gt_instance_labels.keypoint_weights``.
        maps: (N, C, H, W) predicted maps.

    Returns:
        MapTargets: The ground truth.

    Raises:
        ValueError: Predicted and target maps differ in number or size, or there are neither K nor 2K of them.
    """
    fields = [s.gt_fields for s in samples]
    if isinstance(fields[0], MultilevelPixelData):
        fields = [f.levels()[-1] for f in fields]  # the last of several resolutions (MSPN)
    dtype = torch.promote_types(maps.dtype, torch.float32)
    targets = torch.stack([f.heatmaps for f in fields]).to(maps.device, dtype)
    labels = [s.gt_instance_labels for s in samples]
    labelled = (_last_label(labels, 'keypoint_weights', 1) > 0).to(targets)
    num_joints = labelled.shape[1]
    if maps.shape[1] == num_joints and targets.shape[1] == 2 * num_joints:
        targets = targets[:, :num_joints]  # a single-task head, whose codec encodes occlusion as well
    _check_maps(maps, targets, num_joints)
    # an empty map with a weight is of a joint outside the image: the head learns it, nobody scores it
    labelled = labelled * (targets[:, :num_joints].amax((2, 3)) > 0)
    known = labelled
    if targets.shape[1] == 2 * num_joints:
        known = torch.cat([labelled, _last_label(labels, 'occlusion_weights', 1).to(targets)], dim=1)
    if 'keypoint_cells' in labels[0]:
        cells = _last_label(labels, 'keypoint_cells', 2).to(targets)
    else:
        cells = heatmap_maximum(targets[:, :num_joints])[0]
    if 'normaliser' in labels[0]:
        sizes = _last_label(labels, 'normaliser', 0)
    else:
        sizes = _box_sizes(samples, targets.shape[2:])
    return MapTargets(targets, known[:, :, None, None], labelled, cells, sizes.to(targets))


def _last_label(labels: Sequence[InstanceData], name: str, axes: int) -> Tensor:
    """A label of each sample, from the last codec; ``axes`` is the number of axes after those of levels and persons."""
    return torch.stack([x[name].flatten(0, -1 - axes)[-1] for x in labels])


def _check_maps(maps: Tensor, targets: Tensor, num_joints: int) -> None:
    if maps.shape != targets.shape:
        raise ValueError(
            f'model.head predicts maps {tuple(maps.shape[1:])} (C, H, W), the codec of the training pipeline encodes '
            f'{tuple(targets.shape[1:])}: head.out_channels, head.decoder and the encoder of GenerateTarget must agree'
        )
    if maps.shape[1] not in (num_joints, 2 * num_joints):
        raise ValueError(
            f'model.head and its codec have {maps.shape[1]} maps for {num_joints} joints; discriminators need one map '
            'per joint, or two with occlusion'
        )


def _box_sizes(samples: Sequence[PoseDataSample], map_size: Sequence[int]) -> Tensor:
    """(N,) longer sides of the persons' boxes in cells."""
    sizes = []
    for sample in samples:
        if 'bboxes' not in sample.gt_instances or 'input_scale' not in sample.metainfo:
            return torch.full((len(samples),), float(max(map_size)))
        x1, y1, x2, y2 = (float(v) for v in sample.gt_instances.bboxes[0][:4])
        cells_per_pixel = map_size[1] / float(sample.metainfo['input_scale'][0])
        sizes.append(max(x2 - x1, y2 - y1) * cells_per_pixel)
    return torch.tensor(sizes)


def warn_of_loss_scale(head: nn.Module) -> None:
    """Log a warning if a head's loss is far from the scale of Eq. 1, for which alpha and beta are chosen.

    Args:
        head: Any head; those of mmpose have a ``KeypointMSELoss``, the mean over all cells of all maps.
    """
    loss = getattr(head, 'loss_module', None)
    loss = loss[0] if isinstance(loss, nn.ModuleList) and len(loss) else loss
    size = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
    channels = getattr(head, 'out_channels', None)
    if not isinstance(loss, KeypointMSELoss) or size is None or not isinstance(channels, int):
        return
    # 1/(2N) sum of squares = K H W / 2 times their mean over N images, K maps and H W cells
    paper = channels * size[0] * size[1] / 2
    if not 0.1 <= loss.loss_weight / paper <= 10:
        print_log(
            f'model.head.loss: KeypointMSELoss(loss_weight={loss.loss_weight:g}) is a mean over the maps. alpha and '
            f'beta are chosen for the sum of Eq. 1, which is loss_weight={paper:g} here (divided by the number of '
            f'stages); with this loss the adversarial terms weigh {paper / max(loss.loss_weight, 1e-12):.3g} times as '
            'much',
            logger='current',
            level=logging.WARNING,
        )
