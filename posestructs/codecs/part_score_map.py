"""Codec of structured feature learning: joints to cells of parts and types, and maps of scores back to joints.

Chu et al., CVPR 2016. ``encode`` turns K joints into V parts (midpoints of limbs and the like are known here and in the
tree only), each at one cell of the map with one mixture type; see :mod:`.part_targets`. ``decode`` finds the pose with
the greatest score

    sum_k u_k(x_k) - sum over edges of w_x dx^2 + w_y dy^2,   dx = x_child - x_parent - x_rel

exactly (``max_sum``), or each part by itself (``argmax``), and gives back the K joints.

Shapes: N images, K joints, V parts, T types, C = V*T + 1 channels (part-major, type inner, background last), h x w
cells. Points are (x, y) in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from posestructs.codecs.part_decoding import (
    Poses,
    mirror_channels,
    split_parts,
)
from posestructs.codecs.part_targets import (
    PRESETS,
    build_sampling,
    cell_shares,
    person_scale,
    sampling_maps,
    tree_limbs,
)
from posestructs.layers.heatmaps import REFINEMENTS, argmax, cells_to_pixels, pixels_to_cells, refine, values_at
from posestructs.layers.max_sum import max_sum
from posestructs.structures import Deformation, KinematicTree, build_tree
from posestructs.structures.deformation import RELEASE_WEIGHT

DECODE = ('max_sum', 'argmax')
# The release's test net ends in a softmax, and its max-sum adds up what that gives.
SCORES = dict(release='probability', paper='log_probability')
UNLABELLED = ('ignore', 'background')


@KEYPOINT_CODECS.register_module()
class PartScoreMap(BaseKeypointCodec):
    """Parts and types as classes of cells.

    Of a joint that is not labelled, and of a part made of one, nothing is known: it has no cell, nothing around it is
    ignored, and a background cell may be drawn where it really is (rarely, at 0.05 % of the cells). A labelled part off
    the map has no cell either, but what of its surroundings reaches into the map is ignored, or ring. A part whose
    parent is not labelled has a cell but no type; the loss then asks for any of its types.

    Args:
        input_size (tuple[int, int]): (w, h) of the input in pixels.
        heatmap_size (tuple[int, int]): (w, h) of the maps in cells.
        tree: See :func:`posestructs.structures.build_tree`.
        deformation (str | Deformation, optional): File of mixture types and offsets, as
            ``tools/analysis/fit_deformation.py`` writes it. By default one type, and 'argmax'.
        offset_scale (float): How large people are in these crops, relative to the crops that the file was fitted to:
            336 / 448 where a test shows a third more around people of the same size. Offsets, fitted weights and types
            follow. Defaults to 1.
        preset (str): 'release' (default) or 'paper': the defaults of ``scores`` and ``sampling``.
        decode (str, optional): 'max_sum', which needs a deformation file and is the default with one, or 'argmax'.
        scores (str, optional): What the pose adds up: 'probability', the default of 'release', or 'log_probability',
            the default of 'paper' and of fitted weights.
        deformation_weight (float | str): w_x = w_y in 1/cell^2 (0.03 by default), or 'fitted': those of the file, which
            are logarithms of Gaussians and outweigh probabilities.
        refine (str, optional): How a joint is placed between cells: 'parabola' (default), 'quarter' or None, see
            :func:`.heatmaps.refine`.
        unlabelled (str): What an image is on which no part is labelled. 'ignore' (default): a person about whom nothing
            is known; no cell counts. 'background': an image without a person, for the pipeline of a data set of such.
        sampling (dict, optional): Values of :class:`.part_targets.Sampling` other than the preset's.

    Raises:
        KeyError: ``sampling`` has an unknown key.
        TypeError: ``tree`` is no tree.
        ValueError: A value is not allowed, or the deformation file was fitted for another tree.
        FileNotFoundError: There is no such deformation file.
    """

    label_mapping_table = dict(
        part_cells='part_cells', part_types='part_types', part_shares='part_shares', type_numbers='type_numbers'
    )
    field_mapping_table = dict(negative_rates='negative_rates', negative_weights='negative_weights')

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        tree: KinematicTree | Mapping[str, Any],
        deformation: str | Deformation | None = None,
        offset_scale: float = 1.0,
        preset: str = 'release',
        decode: str | None = None,
        scores: str | None = None,
        deformation_weight: float | str = RELEASE_WEIGHT,
        refine: str | None = 'parabola',
        unlabelled: str = 'ignore',
        sampling: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        _choice('preset', preset, tuple(PRESETS))
        self.input_size = _size('input_size', input_size)
        self.heatmap_size = _size('heatmap_size', heatmap_size)
        self.tree = build_tree(tree)
        self.deformation = self._load(deformation, _scale(offset_scale))
        self.decode_method = _choice('decode', decode or ('max_sum' if self.deformation else 'argmax'), DECODE)
        if self.decode_method == 'max_sum' and self.deformation is None:
            raise ValueError(
                "PartScoreMap.decode='max_sum' needs the offsets of a deformation file "
                "(tools/analysis/fit_deformation.py), got deformation=None; without one: decode='argmax'"
            )
        self.deformation_weight = _weight(deformation_weight)
        default = 'log_probability' if deformation_weight == 'fitted' else SCORES[preset]
        self.scores = _choice('scores', scores or default, tuple(SCORES.values()))
        self.refine = _choice('refine', refine, REFINEMENTS)
        self.unlabelled = _choice('unlabelled', unlabelled, UNLABELLED)
        self.sampling = build_sampling(preset, sampling)
        self.cell_size = np.divide(self.input_size, self.heatmap_size)
        self._limbs = tree_limbs(self.tree)
        self._anchors = self._in_cells()

    def _load(self, deformation: str | Deformation | None, scale: float) -> Deformation | None:
        if deformation is None:
            return None
        if not isinstance(deformation, Deformation):
            deformation = Deformation.load(deformation, self.tree)
        elif deformation.tree_fingerprint != self.tree.fingerprint:
            raise ValueError(
                f'PartScoreMap.deformation was fitted for another tree ({deformation.tree.num_parts} parts) than '
                f'PartScoreMap.tree ({self.tree.num_parts} parts)'
            )
        return deformation.scaled(scale)

    def _in_cells(self) -> tuple[Tensor, Tensor] | None:
        """Mean offsets and deformation weights, (V, T, 2) each."""
        if self.deformation is None:
            return None
        offsets = self.deformation.to_cells(self.input_size, self.heatmap_size)
        if self.deformation_weight == 'fitted':
            weights = self.deformation.weights_in_cells(self.input_size, self.heatmap_size)
        else:
            weights = np.full_like(offsets, self.deformation_weight)
        return torch.from_numpy(offsets), torch.from_numpy(weights)

    @property
    def num_types(self) -> int:
        """T."""
        return 1 if self.deformation is None else self.deformation.num_types

    @property
    def num_channels(self) -> int:
        """C = V*T + 1."""
        return self.tree.num_parts * self.num_types + 1

    @property
    def flip_channels(self) -> list[int]:
        """Which channel of a flipped image each channel is, see :func:`.part_decoding.mirror_channels`."""
        if self.deformation is None:
            return mirror_channels(self.tree.mirror, np.zeros((self.tree.num_parts, 1), np.int64))
        return mirror_channels(self.tree.mirror, self.deformation.mirror_types)

    # -- joints to targets -----------------------------------------------------------------------------------------

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Targets of one person.

        Args:
            keypoints (np.ndarray): (1, K, 2) joints in pixels of the input.
            keypoints_visible (np.ndarray, optional): (1, K), above 0 where labelled. All are by default.

        Returns:
            dict: ``part_cells`` (1, V) int64, y*w + x, 0 where a part has no cell; ``part_types`` (1, V) int64, -1
            where not known; ``part_shares`` (1, V) float32, 1/n with n parts in the cell, 0 where a part has none;
            ``type_numbers`` (1, T) int64, 0 to T - 1, whose length tells a head how many types there are;
            ``negative_rates`` and ``negative_weights`` (1, h, w) float32, how the background is sampled.

        Raises:
            ValueError: It is not one person with the tree's joints, or a labelled joint is not at a finite place.
        """
        joints, labelled = self._one_person(keypoints, keypoints_visible)
        positions, known = self.tree.part_positions(joints, labelled)
        cells = pixels_to_cells(positions, self.cell_size)
        present = known & ((cells >= 0) & (cells < self.heatmap_size)).all(axis=1)
        flat = np.where(present, cells[:, 1] * self.heatmap_size[0] + cells[:, 0], 0).astype(np.int64)
        types = np.zeros(len(flat), np.int64)
        if self.deformation is not None:
            types = self.deformation.types_of(positions, known, self.input_size)
        rates, weights = self._background(cells[known], joints / self.cell_size, labelled)
        return dict(
            part_cells=flat[None],
            part_types=types[None],
            part_shares=cell_shares(flat, present)[None],
            type_numbers=np.arange(self.num_types)[None],
            negative_rates=rates[None],
            negative_weights=weights[None],
        )

    def _one_person(self, keypoints: np.ndarray, visible: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """(1, K, 2+) and (1, K) or (1, K, C) -> (K, 2) float64, (K,) bool."""
        count = self.tree.num_joints
        if keypoints.ndim != 3 or keypoints.shape[:2] != (1, count) or keypoints.shape[2] < 2:
            raise ValueError(
                f'PartScoreMap.encode needs the keypoints of one person, (1, {count}, 2) for the {count} joints of '
                f'PartScoreMap.tree ({", ".join(self.tree.joints)}), got {keypoints.shape}'
            )
        visible = np.ones((1, count)) if visible is None else visible
        labelled = (visible[..., 0] if visible.ndim == 3 else visible)[0] > 0
        joints = keypoints[0, :, :2].astype(np.float64)
        bad = labelled & ~np.isfinite(joints).all(axis=1)
        if bad.any():
            names = [self.tree.joints[i] for i in np.flatnonzero(bad)]
            raise ValueError(f'PartScoreMap.encode: labelled joints without a finite place: {names}')
        return joints, labelled

    def _background(self, cells: np.ndarray, joints: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(M, 2) cells of labelled parts, (K, 2) joints in cells, (K,) bool -> two (h, w) maps."""
        sampling = self.sampling
        if not len(cells):
            rate = sampling.background_rate if self.unlabelled == 'background' else 0
            shape = self.heatmap_size[::-1]
            return np.full(shape, rate, np.float32), np.full(shape, sampling.background_weight, np.float32)
        scale = person_scale(joints, labelled, self._limbs, sampling.scale_per_limb, sampling.min_scale)
        return sampling_maps(cells, scale, sampling, self.heatmap_size)

    # -- maps to joints --------------------------------------------------------------------------------------------

    def decode_poses(self, log_probs: Tensor) -> Poses:
        """The best pose of each image.

        Args:
            log_probs (Tensor): (N, C, h, w) log softmax over channels, on any device. A map of any size is one of the
                whole input: cells of a pyramid's smaller maps cover more pixels, and offsets stay the same in cells.

        Returns:
            Poses: The poses.

        Raises:
            ValueError: There are not C channels.
        """
        if log_probs.ndim != 4 or log_probs.shape[1] != self.num_channels:
            raise ValueError(
                f'PartScoreMap decodes (N, {self.num_channels}, h, w) maps: {self.tree.num_parts} parts of '
                f'PartScoreMap.tree x {self.num_types} types + 1; got {tuple(log_probs.shape)}'
            )
        typed = split_parts(log_probs, self.tree.num_parts)
        parts = typed.logsumexp(dim=2)
        cells, types, scores = self._max_sum(typed) if self.decode_method == 'max_sum' else self._argmax(typed, parts)
        joints = list(self.tree.joint_parts)
        maps, found = parts[:, joints], cells[:, joints]
        size = np.divide(self.input_size, (log_probs.shape[-1], log_probs.shape[-2]))
        cell_size = torch.as_tensor(size, dtype=log_probs.dtype, device=log_probs.device)
        return Poses(
            keypoints=cells_to_pixels(refine(maps, found, self.refine), cell_size),
            keypoint_scores=values_at(maps, found).exp().clamp(0, 1),
            scores=scores,
            part_cells=cells,
            part_types=types,
        )

    def _argmax(self, typed: Tensor, parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cells = argmax(parts)
        types = torch.stack([values_at(maps, cells) for maps in typed.unbind(2)], dim=2).argmax(dim=2)
        scores = values_at(self._unary(parts), cells).sum(dim=1)
        return cells, types, scores

    def _max_sum(self, typed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        result = max_sum(self._unary(typed), self.tree.parents, *self._anchors)
        return result.positions, result.types, result.score

    def _unary(self, log_probs: Tensor) -> Tensor:
        """u: what one part at one cell adds to a pose's score."""
        return log_probs.exp() if self.scores == 'probability' else log_probs

    def batch_decode(self, batch_encoded: Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Joints of a batch, mmpose's way; see :meth:`decode_poses`.

        Args:
            batch_encoded (Tensor): (N, C, h, w) log probabilities.

        Returns:
            tuple[list[np.ndarray], list[np.ndarray]]: N of (1, K, 2) joints in pixels of the input, and of (1, K)
            scores in [0, 1].
        """
        poses = self.decode_poses(batch_encoded)
        keypoints, scores = (x.detach().cpu().numpy() for x in (poses.keypoints, poses.keypoint_scores))
        return list(keypoints[:, None]), list(scores[:, None])

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints of one image, mmpose's way; see :meth:`decode_poses`.

        Args:
            encoded (np.ndarray): (C, h, w) log probabilities.

        Returns:
            tuple[np.ndarray, np.ndarray]: (1, K, 2) joints in pixels of the input, (1, K) scores in [0, 1].
        """
        keypoints, scores = self.batch_decode(torch.as_tensor(encoded)[None])
        return keypoints[0], scores[0]


def _choice(key: str, value: Any, allowed: Sequence) -> Any:
    if value not in allowed:
        raise ValueError(f'PartScoreMap.{key}={value!r}, allowed: {tuple(allowed)}')
    return value


def _size(key: str, value: Sequence[int]) -> tuple[int, int]:
    size = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise ValueError(f'PartScoreMap.{key}={value!r}, allowed: (w, h), two whole numbers above 0')
    return size


def _weight(value: float | str) -> float | str:
    if value != 'fitted' and (isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < np.inf):
        raise ValueError(f"PartScoreMap.deformation_weight={value!r}, allowed: a number from 0, or 'fitted'")
    return value


def _scale(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < np.inf:
        raise ValueError(f'PartScoreMap.offset_scale={value!r}, allowed: a number above 0')
    return value
