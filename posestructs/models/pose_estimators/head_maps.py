"""What discriminators see of a head, mmpose's heads included: its maps of the one forward pass, and the true ones.

Shapes: B images, K joints, C channels of the maps (K, or 2K with occlusion: K pose maps, then K occlusion maps), H x W
cells; places are (x, y) in cells.
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


class Truth(NamedTuple):
    """Labels of a batch, as the discriminators need them.

    Attributes:
        maps: (B, C, H, W) true maps.
        known: (B, C, 1, 1) 1 where the true map says something, 0 for a joint without a label or occlusion unknown.
        labelled: (B, K) 1 for a joint with a label.
        cells: (B, K, 2) places of the joints.
        sizes: (B,) size of each person in cells, 0 where it is not known.
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


def supervise(head: nn.Module, feats: Any, samples: Sequence[PoseDataSample], train_cfg: dict) -> tuple[dict, Tensor]:
    """Run a head once, for its losses and its maps.

    Args:
        head: :class:`~posestructs.models.heads.AdversarialHead` or any head of mmpose that yields heatmaps.
        feats: What the neck or backbone gives.
        samples: The batch's samples with their labels.
        train_cfg: Of the model.

    Returns:
        tuple[dict, Tensor]: The head's losses; (B, C, H, W), the final maps.

    Raises:
        TypeError: The head's forward gives no maps.
    """
    if hasattr(head, 'loss_from_maps'):
        maps = head.forward(feats)
        return head.loss_from_maps(maps, samples, train_cfg), _final(head, maps)
    with _kept_forward(head) as given:
        losses = head.loss(feats, samples, train_cfg=train_cfg)
    return losses, _final(head, given[-1])


@contextmanager
def _kept_forward(head: nn.Module) -> Iterator[list]:
    """Keep what a head's forward gives: mmpose's ``loss`` calls it inside, and not through ``__call__``."""
    forward, given = head.forward, []

    def keep(*args: Any, **kwargs: Any) -> Any:
        given.append(forward(*args, **kwargs))
        return given[-1]

    head.forward = keep
    try:
        yield given
    finally:
        del head.forward  # the class's own is found again


def _final(head: nn.Module, maps: Any) -> Tensor:
    """The maps of the last stack or stage."""
    last = maps[-1] if isinstance(maps, (list, tuple)) and len(maps) else maps
    if not isinstance(last, Tensor) or last.ndim != 4:
        raise TypeError(
            f'discriminators need heatmaps (B, C, H, W), and {type(head).__name__} gives {_describe(last)}: choose a '
            'heatmap head, or set discriminators=None'
        )
    return last


def _describe(value: Any) -> str:
    return f'a tensor {tuple(value.shape)}' if isinstance(value, Tensor) else f'a {type(value).__name__}'


def read_truth(samples: Sequence[PoseDataSample], maps: Tensor) -> Truth:
    """Collect the labels of a batch, on the device of the maps.

    Places and sizes come from :class:`~posestructs.codecs.OcclusionHeatmap`. Other codecs do not give them: then a
    joint is where its true map has its maximum, and a person is as large as the longer side of the box.

    Args:
        samples: With ``gt_fields.heatmaps`` and ``gt_instance_labels.keypoint_weights``.
        maps: (B, C, H, W) predicted.

    Returns:
        Truth: The labels.

    Raises:
        ValueError: Predicted and true maps differ in number or size, or are neither K nor 2K.
    """
    fields = [s.gt_fields for s in samples]
    if isinstance(fields[0], MultilevelPixelData):
        fields = [f.levels()[-1] for f in fields]  # of several sizes of maps (MSPN) the last
    dtype = torch.promote_types(maps.dtype, torch.float32)
    true = torch.stack([f.heatmaps for f in fields]).to(maps.device, dtype)
    labels = [s.gt_instance_labels for s in samples]
    labelled = (_last(labels, 'keypoint_weights', 1) > 0).to(true)
    num_joints = labelled.shape[1]
    if maps.shape[1] == num_joints and true.shape[1] == 2 * num_joints:
        true = true[:, :num_joints]  # a head of one task, whose codec draws occlusion too
    _check_maps(maps, true, num_joints)
    known = labelled
    if true.shape[1] == 2 * num_joints:
        known = torch.cat([labelled, _last(labels, 'occlusion_weights', 1).to(true)], dim=1)
    if 'keypoint_cells' in labels[0]:
        cells = _last(labels, 'keypoint_cells', 2).to(true)
    else:
        cells = heatmap_maximum(true[:, :num_joints])[0]
    sizes = _last(labels, 'normaliser', 0) if 'normaliser' in labels[0] else _box_sizes(samples, true.shape[2:])
    return Truth(true, known[:, :, None, None], labelled, cells, sizes.to(true))


def _last(labels: Sequence[InstanceData], name: str, axes: int) -> Tensor:
    """One label of each sample, that of the last codec; ``axes`` is how many a sample's own has, after people."""
    return torch.stack([x[name].flatten(0, -1 - axes)[-1] for x in labels])


def _check_maps(maps: Tensor, true: Tensor, num_joints: int) -> None:
    if maps.shape != true.shape:
        raise ValueError(
            f'model.head gives maps {tuple(maps.shape[1:])} (C, H, W), its codec in the training pipeline '
            f'{tuple(true.shape[1:])}: head.out_channels, head.decoder and the encoder of GenerateTarget must agree'
        )
    if maps.shape[1] not in (num_joints, 2 * num_joints):
        raise ValueError(
            f'model.head and its codec have {maps.shape[1]} maps for {num_joints} joints; discriminators need one map '
            'per joint, or two with occlusion'
        )


def _box_sizes(samples: Sequence[PoseDataSample], map_size: Sequence[int]) -> Tensor:
    """(B,) longer sides of the people's boxes in cells."""
    sizes = []
    for sample in samples:
        if 'bboxes' not in sample.gt_instances or 'input_scale' not in sample.metainfo:
            return torch.full((len(samples),), float(max(map_size)))
        x1, y1, x2, y2 = (float(v) for v in sample.gt_instances.bboxes[0][:4])
        # cells per pixel of the image
        zoom = map_size[1] / float(sample.metainfo['input_scale'][0])
        sizes.append(max(x2 - x1, y2 - y1) * zoom)
    return torch.tensor(sizes)


def warn_of_scale(head: nn.Module) -> None:
    """Say so once where a head's loss is far from the scale of Eq. 1, which alpha and beta are meant beside.

    Args:
        head: Any; those of mmpose have a ``KeypointMSELoss``, the mean over all cells of all maps.
    """
    loss = getattr(head, 'loss_module', None)
    loss = loss[0] if isinstance(loss, nn.ModuleList) and len(loss) else loss
    size = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
    channels = getattr(head, 'out_channels', None)
    if not isinstance(loss, KeypointMSELoss) or size is None or not isinstance(channels, int):
        return
    # 1/(2M) sum of squares = K H W / 2 times their mean over M images, K maps and H W cells
    paper = channels * size[0] * size[1] / 2
    if not 0.1 <= loss.loss_weight / paper <= 10:
        print_log(
            f'model.head.loss: KeypointMSELoss(loss_weight={loss.loss_weight:g}) is a mean over the maps. alpha and '
            f'beta are meant beside the sum of Eq. 1, which is loss_weight={paper:g} here (over the number of stages); '
            f'beside this one the adversarial terms weigh {paper / max(loss.loss_weight, 1e-12):.3g} times as much',
            logger='current',
            level=logging.WARNING,
        )
