"""Mixture types of the parts of a tree: mean offsets to their parents, and variances.

A part's mixture type is the cluster that its offset to its parent falls into (Chu et al., CVPR 2016: K-means, 13
types). The types of left and right parts are mirror images of each other, and so are those of parts on the body's axis,
so that the scores of a flipped image can be averaged with those of the image.

Offsets are in units of the **longer side of the crop** that the model gets, along x and y. Top-down crops have the size
of the person, so that one file serves every input size. Crops of another aspect ratio are padded differently, which is
logged as a warning.

Shapes: V parts, T types, ``...`` persons.
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
from posestructs.utils.checks import check_number

# w_x = w_y in the authors' release, in 1 / cell^2
RELEASE_WEIGHT = 0.03
# variance of the rounding of a position to whole cells
_ROUNDING = 1 / 12
_ASPECT_TOLERANCE = 1.1


@dataclass(frozen=True, eq=False, repr=False)
class Deformation:
    """Mixture types of the parts of a tree; immutable.

    Args:
        tree: Symmetric tree of V parts.
        offsets: (V, T, 2) mean of part - parent, x then y, in crop sides. The root's is root - reference
            (``part_offsets.reference_matrix``), which only training targets use.
        variances: (V, T, 2) variances of x and y about the mean, in squared crop sides.
        mirror_types: (V, T), for type ``t`` of part ``k`` its type in a flipped image, where it belongs to part
            ``tree.mirror[k]``; ``t`` itself for parts with a partner.
        frequencies: (V, T) share of each type among the persons; rows sum to 1.
        aspect_ratio: Width over height of the crops.
        source: Description of the data that it was fitted to.

    Raises:
        ValueError: The tree is not symmetric, or the arrays do not fit the tree or each other.
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
        # rebuilt by the constructor, since a pickled array would come back writeable
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @property
    def num_types(self) -> int:
        """Number of types, T."""
        return self.offsets.shape[1]

    @property
    def tree_fingerprint(self) -> str:
        """Fingerprint of the tree that it was fitted for."""
        return self.tree.fingerprint

    def to_cells(self, input_size: Sequence[int], heatmap_size: Sequence[int]) -> np.ndarray:
        """Mean offsets in heatmap cells.

        Args:
            input_size: Width and height of the crop in pixels.
            heatmap_size: Width and height of the heatmap in cells.

        Returns:
            np.ndarray: (V, T, 2) x, y in cells.
        """
        return self.offsets * self._cells_per_unit(input_size, heatmap_size)

    def weights_in_cells(
        self, input_size: Sequence[int], heatmap_size: Sequence[int], max_weight: float | None = None
    ) -> np.ndarray:
        """Deformation weights from the variances: the less a part varies, the greater its weight.

        A Gaussian of variance s^2 has the log density -d^2 / (2 s^2) - log s + const. With w = 1 / (2 s^2), max-sum
        adds such log densities, without -log s, for which it has no term. The variance of rounding two positions to
        cells is added to s^2, which keeps every weight below 3. The formula is ours; the release uses 0.03 everywhere.

        Args:
            input_size: Width and height of the crop in pixels.
            heatmap_size: Width and height of the heatmap in cells.
            max_weight: Upper limit of the weights; None for no other limit.

        Returns:
            np.ndarray: (V, T, 2) w_x, w_y in 1 / cell^2.

        Raises:
            ValueError: ``max_weight`` is not above 0.
        """
        check_number('max_weight', max_weight, above=0, optional=True)
        variances = self.variances * self._cells_per_unit(input_size, heatmap_size) ** 2
        # w = 1 / (2 (s^2 + 2 / 12))
        weights = 1 / (2 * (variances + 2 * _ROUNDING))
        return weights if max_weight is None else np.minimum(weights, max_weight)

    def types_of(self, positions: np.ndarray, labelled: np.ndarray, input_size: Sequence[int]) -> np.ndarray:
        """Find the type of each part, that of the nearest mean offset.

        Args:
            positions: (..., V, 2) parts in pixels of the crop.
            labelled: (..., V) bool mask of the labelled parts.
            input_size: Width and height of the crop in pixels.

        Returns:
            np.ndarray: (..., V) int64; -1 where the part or its parent is not labelled.
        """
        offsets, known = relative_offsets(self.tree, positions, labelled)
        # t_k = argmin_t |offset_k - mean_kt|
        differences = offsets[..., None, :] / max(input_size) - self.offsets
        types = np.square(differences).sum(axis=-1).argmin(axis=-1)
        return np.where(known, types, -1)

    def scaled(self, factor: float) -> Deformation:
        """Adapt the types to crops in which persons have another size.

        Args:
            factor: Size of a person in the crop, relative to the crops that this was fitted to.

        Returns:
            Deformation: Types with offsets times ``factor`` and variances times its square.

        Raises:
            ValueError: ``factor`` is not above 0.
        """
        check_number('factor', factor, above=0)
        return replace(self, offsets=self.offsets * factor, variances=self.variances * factor**2)

    # -- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the types as a small JSON file.

        Args:
            path: Path of the file.
        """
        arrays = {key: getattr(self, key) for key in ARRAYS}
        write_file(path, self.tree, arrays, source=self.source, aspect_ratio=self.aspect_ratio)

    @classmethod
    def load(cls, path: str | Path, tree: KinematicTree) -> Deformation:
        """Read a file that :meth:`save` wrote.

        Args:
            path: Path of the file; a relative path that does not exist names a shipped file
                (``configs/_base_/deformations``).
            tree: Tree of the model, which must be the one of the file.

        Returns:
            Deformation: The types.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: It is not such a file, or was fitted for another tree.
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
                f'input of {input_size[0]} x {input_size[1]} its offsets are somewhat too long or short: fit it again',
                logger='current',
                level=logging.WARNING,
            )


def _check(deformation: Deformation) -> None:
    tree, offsets = deformation.tree, deformation.offsets
    shape = (tree.num_parts, deformation.offsets.shape[1] if offsets.ndim == 3 else 0)
    expected = dict(offsets=(*shape, 2), variances=(*shape, 2), mirror_types=shape, frequencies=shape)
    for key, wanted in expected.items():
        array = getattr(deformation, key)
        if array.shape != wanted or not shape[1]:
            raise ValueError(f'{key}.shape={array.shape}, allowed: {wanted} for this tree, at least one type')
        if not np.isfinite(array).all():
            raise ValueError(f'{key} holds NaN or infinity, allowed: finite numbers')
    if (deformation.variances < 0).any() or (deformation.frequencies < 0).any():
        raise ValueError('variances and frequencies hold negative values, allowed: at least 0')
    if not np.allclose(deformation.frequencies.sum(axis=1), 1, atol=1e-3):
        total = deformation.frequencies.sum(axis=1)
        raise ValueError(f'frequencies sum to {total.tolist()}, allowed: 1 for each part')
    check_number('aspect_ratio', deformation.aspect_ratio, above=0)
    _check_mirror(deformation)


def _check_mirror(deformation: Deformation) -> None:
    tree, types, count = deformation.tree, deformation.mirror_types, deformation.num_types
    if types.min() < 0 or types.max() >= count:
        raise ValueError(f'mirror_types={types.min()} to {types.max()}, allowed: 0 to {count - 1}')
    for v, image in enumerate(tree.mirror):
        if (types[image][types[v]] != np.arange(count)).any():
            raise ValueError(f'mirror_types of {tree.names[v]!r} do not lead back: {types[v].tolist()}')
        # offset of type t = (-x, y) of its mirror image
        mirrored = deformation.offsets[image][types[v]] * (-1, 1)
        if not np.allclose(deformation.offsets[v], mirrored, atol=1e-5):
            raise ValueError(f'offsets of {tree.names[v]!r} are not those of {tree.names[image]!r} mirrored')
