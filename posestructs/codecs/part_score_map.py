"""Codec of structured feature learning: joints to cells of parts and types, and score maps back to joints.

Chu et al., CVPR 2016. ``encode`` turns K joints into V parts (virtual parts, such as midpoints of limbs, exist here and
in the tree only), each in one cell of the map with one mixture type; see :mod:`.part_targets`. ``decode`` finds the
pose with the greatest score

    sum_k u_k(x_k) - sum over edges of w_x dx^2 + w_y dy^2,   dx = x_child - x_parent - x_rel

exactly (``max_sum``), or the best cell of each part independently (``argmax``), and returns the K joints.

Shapes: N batch, K joints, V parts, T types, C = V*T + 1 channels (part-major, type inner, background last), h x w
cells. Joints are (x, y) in input pixels; cells are areas (:mod:`posestructs.layers.heatmaps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from posestructs.codecs.part_decoding import Poses
from posestructs.codecs.part_targets import (
    PRESETS,
    build_sampling,
    cell_shares,
    person_scale,
    sampling_maps,
    tree_limbs,
)
from posestructs.codecs.person_labels import read_person
from posestructs.layers.heatmaps import REFINEMENTS, argmax, cells_to_pixels, pixels_to_cells, refine, values_at
from posestructs.layers.max_sum import max_sum
from posestructs.layers.part_maps import mirror_channels, split_parts
from posestructs.structures import Deformation, KinematicTree, build_tree
from posestructs.structures.deformation import RELEASE_WEIGHT
from posestructs.utils.checks import check_choice, check_number, check_size, invalid_value
from posestructs.utils.usage import UsageError

DECODE = ('max_sum', 'argmax')
SCORES = ('probability', 'log_probability')
UNLABELLED = ('ignore', 'background')


@KEYPOINT_CODECS.register_module()
class PartScoreMap(BaseKeypointCodec):
    """Parts and types as classes of cells.

    An unlabelled joint, and a part made of one, has no cell; nothing around it is ignored, so that a background cell
    may be drawn at its true position (rarely, at 0.05 % of the cells). A labelled part off the map has no cell either,
    but its surroundings on the map are ignored or belong to the ring. A part whose parent is not labelled has a cell
    but no type; the loss then accepts any of its types.

    **Scores.** Max-sum adds up log probabilities by default. The release adds probabilities (``scores='probability'``):
    the loss of probability is then bounded by the peak of a part, while the deformation grows with the square of the
    distance, so that well-placed parts of an unsure model are moved. On the 1,000 validation persons of LSP-extended, a
    small model with peaks around 0.1 has a TorsoPCK@0.2 of 21.9 by arg-max, 21.8 by max-sum of log probabilities and
    13.8 by max-sum of probabilities (one type, weight 0.03).

    Args:
        input_size: Width and height of the input in pixels.
        heatmap_size: Width and height of the maps in cells.
        tree: See :func:`posestructs.structures.build_tree`.
        deformation: File of mixture types and offsets, as ``tools/analysis/fit_deformation.py`` writes it. By default
            there is one type, and 'argmax' decodes.
        offset_scale: Size of persons in these crops relative to the crops that the file was fitted to: 336 / 448 where
            a test shows a third more around persons of the same size. Offsets, fitted weights and types follow.
        preset: 'release' or 'paper', which selects the default of ``sampling``.
        decode: 'max_sum', which needs a deformation file and is the default with one, or 'argmax'.
        scores: Terms of a pose's score: 'log_probability', or 'probability' as the release has it. The default is
            'log_probability'; for 'argmax' with the release's preset, whose joints do not depend on it, 'probability'.
        deformation_weight: w_x = w_y in 1/cell^2, or 'fitted' for those of the file, which are logarithms of Gaussians
            and outweigh probabilities.
        refine: Refinement of a joint between cells, 'parabola', 'quarter' or None, see :func:`.heatmaps.refine`.
        unlabelled: Treatment of images without labelled parts. 'ignore': a person of unknown pose, no cell counts.
            'background': an image without a person, for the pipeline of a data set of such images.
        sampling: Values of :class:`.part_targets.Sampling` that replace the preset's.

    Raises:
        KeyError: ``sampling`` has an unknown key.
        TypeError: ``tree`` is not a tree.
        ValueError: A value is not allowed, or the deformation file was fitted for another tree.
        FileNotFoundError: The deformation file does not exist.
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
        check_choice('PartScoreMap.preset', preset, PRESETS)
        self.input_size = check_size('PartScoreMap.input_size', input_size)
        self.heatmap_size = check_size('PartScoreMap.heatmap_size', heatmap_size)
        self.tree = build_tree(tree)
        self.deformation = self._load(deformation, check_number('PartScoreMap.offset_scale', offset_scale, above=0))
        decode = decode or ('max_sum' if self.deformation else 'argmax')
        self.decode_method = check_choice('PartScoreMap.decode', decode, DECODE)
        if self.decode_method == 'max_sum' and self.deformation is None:
            raise ValueError(
                "PartScoreMap.decode='max_sum', allowed with deformation=None: 'argmax'; 'max_sum' needs a "
                'deformation file, from tools/analysis/fit_deformation.py'
            )
        self.deformation_weight = _deformation_weight(deformation_weight)
        self.scores = check_choice('PartScoreMap.scores', scores or self._default_scores(preset), SCORES)
        self.refine = check_choice('PartScoreMap.refine', refine, REFINEMENTS)
        self.unlabelled = check_choice('PartScoreMap.unlabelled', unlabelled, UNLABELLED)
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

    def _default_scores(self, preset: str) -> str:
        release = self.decode_method == 'argmax' and preset == 'release' and self.deformation_weight != 'fitted'
        return 'probability' if release else 'log_probability'

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
        """Number of types, T."""
        return 1 if self.deformation is None else self.deformation.num_types

    @property
    def num_channels(self) -> int:
        """Number of channels, C = V*T + 1."""
        return self.tree.num_parts * self.num_types + 1

    @property
    def flip_channels(self) -> list[int]:
        """Channel permutation under a horizontal flip, see :func:`.part_maps.mirror_channels`."""
        if self.deformation is None:
            return mirror_channels(self.tree.mirror, np.zeros((self.tree.num_parts, 1), np.int64))
        return mirror_channels(self.tree.mirror, self.deformation.mirror_types)

    # -- joints to targets -----------------------------------------------------------------------------------------

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Make the targets of one person.

        Args:
            keypoints: (1, K, 2) joints in input pixels.
            keypoints_visible: (1, K) weights, above 0 where labelled; by default all are labelled.

        Returns:
            dict: ``part_cells`` (1, V) int64, y*w + x, 0 for a part without a cell; ``part_types`` (1, V) int64, -1
            where unknown; ``part_shares`` (1, V) float32, 1/n with n parts in the cell, 0 for a part without a cell;
            ``type_numbers`` (1, T) int64, 0 to T - 1, whose length gives the number of types; ``negative_rates`` and
            ``negative_weights`` (1, h, w) float32, the sampling of the background.

        Raises:
            ValueError: It is not one person with the joints of the tree, or a labelled joint is at a position that is
                not finite.
        """
        joints, visible = read_person('PartScoreMap', keypoints, keypoints_visible, self.tree.joints)
        joints, labelled = joints.astype(np.float64), visible > 0
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

    def _background(self, cells: np.ndarray, joints: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of the labelled parts, (K, 2) joints in cells and their (K,) mask to (h, w) rates and weights."""
        sampling = self.sampling
        if not len(cells):
            rate = sampling.background_rate if self.unlabelled == 'background' else 0
            shape = self.heatmap_size[::-1]
            return np.full(shape, rate, np.float32), np.full(shape, sampling.background_weight, np.float32)
        scale = person_scale(joints, labelled, self._limbs, sampling.scale_per_limb, sampling.min_scale)
        return sampling_maps(cells, scale, sampling, self.heatmap_size)

    # -- maps to joints --------------------------------------------------------------------------------------------

    def decode_poses(self, log_probs: Tensor) -> Poses:
        """Find the best pose of each image.

        Args:
            log_probs: (N, C, h, w) log softmax over channels, on any device. Maps of any size cover the whole input:
                cells of a smaller level of a pyramid cover more pixels, and offsets stay the same in cells.

        Returns:
            Poses: The poses.

        Raises:
            ValueError: The number of channels is not C.
        """
        if log_probs.ndim != 4 or log_probs.shape[1] != self.num_channels:
            raise ValueError(
                f'PartScoreMap: log_probs is {tuple(log_probs.shape)}, allowed: (N, {self.num_channels}, h, w) '
                f'for {self.tree.num_parts} parts of PartScoreMap.tree x {self.num_types} types + 1'
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
        """Terms u of a pose's score."""
        return log_probs.exp() if self.scores == 'probability' else log_probs

    def batch_decode(self, batch_encoded: Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Decode a batch, as mmpose's codecs do; see :meth:`decode_poses`.

        Args:
            batch_encoded: (N, C, h, w) log probabilities.

        Returns:
            tuple[list[np.ndarray], list[np.ndarray]]: For each image (1, K, 2) joints in input pixels, and (1, K)
            scores in [0, 1].

        Raises:
            ValueError: The maps contain NaN, or the number of channels is not C.
        """
        poses = self.decode_poses(batch_encoded)
        keypoints, scores = (x.detach().cpu().numpy() for x in (poses.keypoints, poses.keypoint_scores))
        check_not_nan(scores)
        return list(keypoints[:, None]), list(scores[:, None])

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode one image, as mmpose's codecs do; see :meth:`decode_poses`.

        Args:
            encoded: (C, h, w) log probabilities.

        Returns:
            tuple[np.ndarray, np.ndarray]: (1, K, 2) joints in input pixels, (1, K) scores in [0, 1].

        Raises:
            ValueError: The maps contain NaN, or the number of channels is not C.
        """
        keypoints, scores = self.batch_decode(torch.as_tensor(encoded)[None])
        return keypoints[0], scores[0]


def check_not_nan(scores: np.ndarray) -> None:
    """Refuse decoded scores of maps that contain NaN.

    Args:
        scores: Scores of joints or of poses.

    Raises:
        ValueError: One is NaN.
    """
    if np.isnan(scores).any():
        raise UsageError('PartScoreMap: the score maps contain NaN, as those of a diverged training')


def _deformation_weight(value: float | str) -> float | str:
    if not isinstance(value, str):
        return check_number('PartScoreMap.deformation_weight', value, 0)
    if value != 'fitted':
        raise invalid_value('PartScoreMap.deformation_weight', value, "a number of at least 0, or 'fitted'")
    return value
