"""Training targets of structured feature learning: the cells of parts, and the sampling of all others.

Each cell of the feature map is classified (Chu et al., CVPR 2016). A part lies in exactly one cell; the cells around it
are ambiguous and ignored; a ring further out provides hard negatives; the rest is background, of which the loss draws a
small random sample. This module holds the geometry and the rates; the loss draws the sample.

Shapes: V parts, K joints, L limbs, h x w cells. Cells are (x, y), as areas (:mod:`posestructs.layers.heatmaps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from posestructs.structures import KinematicTree
from posestructs.utils.checks import check_number


def tree_limbs(tree: KinematicTree) -> np.ndarray:
    """Limbs of a tree: pairs of a joint and its nearest ancestor that is a joint, past virtual parts.

    Args:
        tree: Tree of parts.

    Returns:
        np.ndarray: (L, 2) indices of joints.
    """
    joint_of = {part: joint for joint, part in enumerate(tree.joint_parts)}
    limbs = []
    for joint, part in enumerate(tree.joint_parts):
        above = tree.parents[part]
        while above >= 0 and above not in joint_of:
            above = tree.parents[above]
        if above >= 0:
            limbs.append((joint, joint_of[above]))
    return np.array(limbs, dtype=np.int64).reshape(-1, 2)


def person_scale(joints: np.ndarray, labelled: np.ndarray, limbs: np.ndarray, per_limb: float, minimum: float) -> float:
    """Size of a person, the unit of the rings around parts.

    The release uses the head length that it estimates from all limbs: the upper quartile of each limb's length over the
    median ratio, in the data set, of that limb to a head. This needs the whole data set. ``0.75 * mean limb`` agrees
    within 6 % (standard deviation of the logarithm over LSP's 2,000 persons); the median limb, the upper quartile, the
    box and the torso deviate by 10 to 20 %.

    Args:
        joints: (K, 2) joints in cells.
        labelled: (K,) bool mask of the labelled joints.
        limbs: (L, 2) limbs from :func:`tree_limbs`.
        per_limb: Scale of a person whose limbs have the mean length 1.
        minimum: Least scale in cells, also that of a person without a labelled limb.

    Returns:
        float: Scale in cells.
    """
    limbs = limbs[labelled[limbs].all(axis=1)]
    if not len(limbs):
        return minimum
    lengths = np.linalg.norm(joints[limbs[:, 0]] - joints[limbs[:, 1]], axis=1)
    return max(minimum, per_limb * float(lengths.mean()))


def cell_shares(cells: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Share of each part in its cell: 1/n where n parts are in it.

    Args:
        cells: (V,) int flat indices of cells.
        present: (V,) bool mask of the parts that have a cell.

    Returns:
        np.ndarray: (V,) float32 shares, 0 for a part without a cell.
    """
    same = (cells[:, None] == cells) & present & present[:, None]
    return present / np.maximum(same.sum(axis=1), 1).astype(np.float32)


def ring_zones(cells: np.ndarray, inner: float, outer: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells near parts, and cells of the rings around them.

    A cell near one part is not in the ring of another. The surroundings of parts off the map count too.

    Args:
        cells: (V, 2) cells of the labelled parts.
        inner: Greatest distance, between centres, of a cell that is near a part.
        outer: Greatest distance of a cell in the ring.
        size: Width and height of the map, (w, h).

    Returns:
        tuple[np.ndarray, np.ndarray]: (h, w) bool masks of the near cells and of the ring.
    """
    width, height = size
    dx = np.arange(width, dtype=np.float64) - cells[:, :1]
    dy = np.arange(height, dtype=np.float64) - cells[:, 1:]
    square = dx[:, None, :] ** 2 + dy[:, :, None] ** 2
    nearest = square.min(axis=0, initial=np.inf)
    near = nearest <= inner**2
    return near, (nearest <= outer**2) & ~near


@dataclass(frozen=True)
class Sampling:
    """Sampling of the cells without a part; lengths are in units of :func:`person_scale`.

    Args:
        ignore_radius: Cells up to this distance from a labelled part are ignored (rounded down to whole cells).
        ring_radius: Cells from there up to this distance (rounded up) are the ring.
        ring_rate: Probability that a cell of the ring is drawn.
        ring_weight: Weight of such a cell in the loss.
        negative_rate: Probability that any other cell of an image with a labelled person is drawn.
        negative_weight: Weight of such a cell.
        background_rate: Probability that a cell of an image without a person is drawn.
        background_weight: Weight of such a cell.
        scale_per_limb: Scale of a person relative to the mean length of the labelled limbs.
        min_scale: Least scale in cells. At 2.5 cells the four neighbours of a part are still ignored.

    Raises:
        ValueError: A value is not allowed.
    """

    ignore_radius: float = 0.4
    ring_radius: float = 0.5
    ring_rate: float = 0.5
    ring_weight: float = 0.5
    negative_rate: float = 0.0005
    negative_weight: float = 1.0
    background_rate: float = 0.01
    background_weight: float = 0.5
    scale_per_limb: float = 0.75
    min_scale: float = 2.5

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            check_number(f'PartScoreMap.sampling.{key}', value, 0, 1 if key.endswith('_rate') else 1e6)


# The release draws no other cells of images with persons, since it has as many images without persons. Without those, a
# model would never see the background, so the paper's rate is kept; `sampling=dict(negative_rate=0)` is the release.
PRESETS = dict(
    release=Sampling(),
    paper=Sampling(ignore_radius=0.0, ring_radius=0.0, ring_rate=0.0, background_rate=0.0005, background_weight=1.0),
)


def build_sampling(preset: str, changes: Mapping[str, float] | None = None) -> Sampling:
    """Build the sampling of a preset with changed values.

    Args:
        preset: Key of :data:`PRESETS`.
        changes: Values that replace those of the preset, by their keys in :class:`Sampling`.

    Returns:
        Sampling: The sampling.

    Raises:
        KeyError: A key is unknown.
        ValueError: A value is not allowed.
    """
    allowed = [field.name for field in fields(Sampling)]
    unknown = sorted(set(changes or {}) - set(allowed))
    if unknown:
        raise KeyError(f'PartScoreMap.sampling has unknown keys {unknown}, allowed: {allowed}')
    return replace(PRESETS[preset], **(changes or {}))


def sampling_maps(
    cells: np.ndarray, scale: float, sampling: Sampling, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Probability that each cell is drawn as background, and its weight.

    Args:
        cells: (V, 2) cells of the labelled parts, on or off the map.
        scale: Scale of the person in cells.
        sampling: Rates and weights.
        size: Width and height of the map, (w, h).

    Returns:
        tuple[np.ndarray, np.ndarray]: (h, w) float32 rates, 0 near parts; (h, w) float32 weights.
    """
    # whole cells as in the release: the ring is at least one cell wide around persons of any size
    inner = np.floor(sampling.ignore_radius * scale)
    outer = np.ceil(sampling.ring_radius * scale)
    near, ring = ring_zones(cells, inner, outer, size)
    rates = np.where(ring, sampling.ring_rate, sampling.negative_rate)
    weights = np.where(ring, sampling.ring_weight, sampling.negative_weight)
    return np.where(near, 0, rates).astype(np.float32), weights.astype(np.float32)
