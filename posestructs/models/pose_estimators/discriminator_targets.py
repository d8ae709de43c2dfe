"""Ground truth of a batch for discriminators, from any heatmap codec.

Shapes: N batch, K joints, C channels of the maps (K, or 2K with occlusion: K pose maps, then K occlusion maps), H x W
cells; positions are (x, y) in cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from mmpose.structures import MultilevelPixelData, PoseDataSample
from torch import Tensor

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
