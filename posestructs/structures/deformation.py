"""Where parts lie beside their parents: mixture types, their mean offsets and how far they stray.

A part's mixture type is the cluster that its offset to its parent falls into (Chu et al., CVPR 2016: K-means, 13
types). Types of left and right mirror each other, and so do those of parts on the body's axis, so that the scores of a
flipped image can be averaged with those of the image.

The unit of offsets is the **longer side of the crop** that the model gets: top-down crops have the size of the person,
so that one file serves every input size. It is the same for x and y. Crops of another aspect ratio pad people
differently; that is warned of.

Shape legend: V parts, T types, ``...`` people.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from posestructs.structures.deformation_file import ARRAYS, read_file, tree_difference, write_file
from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.part_offsets import check_symmetric, relative_offsets

# w_x = w_y of the authors' release, in 1 / cell^2
RELEASE_WEIGHT = 0.03
# variance of a position that is rounded to whole cells
_ROUNDING = 1 / 12
_ASPECT_TOLERANCE = 1.1


@dataclass(frozen=True, eq=False, repr=False)
class Deformation:
    """Mixture types of the parts of a tree. It cannot be changed.

    Args:
        tree (KinematicTree): V parts; symmetric.
        offsets (np.ndarray): (V, T, 2) mean of part - parent, x then y, in crop sides. The root's is root - reference
            (``part_offsets.reference_matrix``); inference has no use for it, only training targets do.
        variances (np.ndarray): (V, T, 2) of x and y about it, in squared crop sides.
        mirror_types (np.ndarray): (V, T), what type ``t`` of part ``k`` becomes in a flipped image, where it is one of
            part ``tree.mirror[k]``. ``t`` itself for parts with a partner.
        frequencies (np.ndarray): (V, T) share of each type among the people; rows sum to 1.
        aspect_ratio (float): Width over height of the crops.
        source (str): What it was fitted to.

    Raises:
        ValueError: The tree is not symmetric, or the arrays do not fit it or each other.
    """

    tree: KinematicTree
    offsets: np.ndarray
    variances: np.ndarray
    mirror_types: np.ndarray
    frequencies: np.ndarray
    aspect_ratio: float
    source: str = ''

    def __post_init__(self) -> None:
        check_symmetric(self.tree)
        for key in ARRAYS:
            array = np.array(getattr(self, key), dtype=np.int64 if key == 'mirror_types' else np.float64)
            array.setflags(write=False)
            object.__setattr__(self, key, array)
        _check(self)

    def __reduce__(self) -> tuple:
        # a pickled array would come back writeable
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @property
    def num_types(self) -> int:
        """T."""
        return self.offsets.shape[1]

    @property
    def tree_fingerprint(self) -> str:
        """Of the tree that it was fitted for."""
        return self.tree.fingerprint

    def to_cells(self, input_size: Sequence[int], heatmap_size: Sequence[int]) -> np.ndarray:
        """Mean offsets in heatmap cells.

        Args:
            input_size (Sequence[int]): Width and height of the crop in pixels.
            heatmap_size (Sequence[int]): Width and height of the heatmap in cells.

        Returns:
            np.ndarray: (V, T, 2) x, y in cells.
        """
        return self.offsets * self._cells_per_unit(input_size, heatmap_size)

    def weights_in_cells(
        self, input_size: Sequence[int], heatmap_size: Sequence[int], max_weight: float | None = None
    ) -> np.ndarray:
        """Deformation weights in proportion to how firmly a part sits.

        A Gaussian of variance s^2 has the log density -d^2 / (2 s^2) - log s + const, so that w = 1 / (2 s^2) makes
        max-sum add log probabilities; -log s, for which it has no term, is left out. The variance of rounding two
        positions to cells is added, which keeps every weight below 3. (The release has 0.03 everywhere; the formula is
        ours.)

        Args:
            input_size (Sequence[int]): Width and height of the crop in pixels.
            heatmap_size (Sequence[int]): Width and height of the heatmap in cells.
            max_weight (float, optional): A lower bound to that.

        Returns:
            np.ndarray: (V, T, 2) w_x, w_y in 1 / cell^2.

        Raises:
            ValueError: ``max_weight`` is not above 0.
        """
        if max_weight is not None and not max_weight > 0:
            raise ValueError(f'max_weight must be above 0, got {max_weight!r}')
        variances = self.variances * self._cells_per_unit(input_size, heatmap_size) ** 2
        # w = 1 / (2 (s^2 + 2 / 12))
        weights = 1 / (2 * (variances + 2 * _ROUNDING))
        return weights if max_weight is None else np.minimum(weights, max_weight)

    def types_of(self, positions: np.ndarray, labelled: np.ndarray, input_size: Sequence[int]) -> np.ndarray:
        """The type of each part: that of the nearest mean offset.

        Args:
            positions (np.ndarray): (..., V, 2) parts in pixels of the crop.
            labelled (np.ndarray): (..., V) bool, which of them count.
            input_size (Sequence[int]): Width and height of the crop in pixels.

        Returns:
            np.ndarray: (..., V) int64; -1 where the part or its parent is not labelled.
        """
        offsets, known = relative_offsets(self.tree, positions, labelled)
        # t_k = argmin_t |offset_k - mean_kt|
        differences = offsets[..., None, :] / max(input_size) - self.offsets
        types = np.square(differences).sum(axis=-1).argmin(axis=-1)
        return np.where(known, types, -1)

    def scaled(self, factor: float) -> Deformation:
        """The types for crops in which people are of another size.

        Args:
            factor (float): Size of a person over the crop, relative to the crops that this was fitted to.

        Returns:
            Deformation: With offsets times ``factor`` and variances times its square.

        Raises:
            ValueError: ``factor`` is not above 0.
        """
        if not 0 < factor < math.inf:
            raise ValueError(f'factor must be a number above 0, got {factor!r}')
        return replace(self, offsets=self.offsets * factor, variances=self.variances * factor**2)

    # -- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write it as one small JSON file.

        Args:
            path (str | Path): The file.
        """
        arrays = {key: getattr(self, key) for key in ARRAYS}
        write_file(path, self.tree, arrays, source=self.source, aspect_ratio=self.aspect_ratio)

    @classmethod
    def load(cls, path: str | Path, tree: KinematicTree) -> Deformation:
        """Read what :meth:`save` wrote.

        Args:
            path (str | Path): The file; of a relative path that leads nowhere, the shipped file of that name
                (``configs/_base_/deformations``).
            tree (KinematicTree): The tree of the model, which must be the one of the file.

        Returns:
            Deformation: The types.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no such file, or was fitted for another tree; says what differs.
        """
        content = read_file(path)
        difference = tree_difference(content, tree)
        if difference:
            raise ValueError(f'deformation={str(path)!r} was fitted for another tree: {difference}')
        try:
            return cls(tree, *(content[key] for key in ARRAYS), content['aspect_ratio'], content['source'])
        except (TypeError, ValueError) as error:
            raise ValueError(f'deformation={str(path)!r}: {error}') from error

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _cells_per_unit(self, input_size: Sequence[int], heatmap_size: Sequence[int]) -> np.ndarray:
        self._warn_of_aspect(input_size)
        # unit -> input pixels -> cells, x and y
        return max(input_size) * np.asarray(heatmap_size, dtype=np.float64) / np.asarray(input_size, dtype=np.float64)

    def _warn_of_aspect(self, input_size: Sequence[int]) -> None:
        ratio = input_size[0] / input_size[1]
        if abs(math.log(ratio / self.aspect_ratio)) > math.log(_ASPECT_TOLERANCE):
            print_log(
                f'the deformation was fitted to crops of aspect ratio {self.aspect_ratio:.3g} ({self.source}); for an '
                f'input of {input_size[0]} x {input_size[1]} its offsets are somewhat too long or short: fit it anew',
                logger='current',
                level=logging.WARNING,
            )


def _check(deformation: Deformation) -> None:
    tree, offsets = deformation.tree, deformation.offsets
    shape = (tree.num_parts, deformation.offsets.shape[1] if offsets.ndim == 3 else 0)
    expected = dict(offsets=(*shape, 2), variances=(*shape, 2), mirror_types=shape, frequencies=shape)
    for key, wanted in expected.items():
        array = getattr(deformation, key)
        if array.shape != wanted or not shape[1] or not np.isfinite(array).all():
            raise ValueError(f'{key} must be finite numbers of shape {wanted} for this tree, got shape {array.shape}')
    if (deformation.variances < 0).any() or (deformation.frequencies < 0).any():
        raise ValueError('variances and frequencies must be 0 or more')
    if not np.allclose(deformation.frequencies.sum(axis=1), 1, atol=1e-3):
        raise ValueError('frequencies of each part must sum to 1')
    ratio = deformation.aspect_ratio
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio < math.inf:
        raise ValueError(f'aspect_ratio must be a number above 0, got {ratio!r}')
    _check_mirror(deformation)


def _check_mirror(deformation: Deformation) -> None:
    tree, types, count = deformation.tree, deformation.mirror_types, deformation.num_types
    if types.min() < 0 or types.max() >= count:
        raise ValueError(f'mirror_types must be 0 to {count - 1}, got {types.min()} to {types.max()}')
    for v, image in enumerate(tree.mirror):
        if (types[image][types[v]] != np.arange(count)).any():
            raise ValueError(f'mirror_types of {tree.names[v]!r} do not lead back: {types[v].tolist()}')
        # offset of type t = (-x, y) of its mirror image
        mirrored = deformation.offsets[image][types[v]] * (-1, 1)
        if not np.allclose(deformation.offsets[v], mirrored, atol=1e-5):
            raise ValueError(f'offsets of {tree.names[v]!r} are not those of {tree.names[image]!r} mirrored')
