"""Training targets of structured feature learning: which cells hold parts, and how the others are sampled.

Each cell of the feature map is classified (Chu et al., CVPR 2016). A part is at exactly one cell; the cells around it
are too close to call and ignored; a ring further out makes hard negatives; the rest is background, of which a loss
takes a small random sample. Here are the geometry and the rates; the sample itself is drawn in the loss.

Shapes: V parts, K joints, L limbs, h x w cells. Points are (x, y) in pixels of the input, where pixel 0 has its centre
at 0; cells are (x, y) too. Cell c covers the pixels from c * size to (c + 1) * size - 1, so that cells and pixels turn
into each other's mirror images in a flipped image, without a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from posestructs.structures import KinematicTree
from posestructs.utils.checks import check_number


def tree_limbs(tree: KinematicTree) -> np.ndarray:
    """Limbs of a tree between joints: each joint with the nearest joint above it, past virtual parts.

    Args:
        tree (KinematicTree): The tree.

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

    The release takes the length of the head that it estimates from all limbs: the upper quartile of each limb's length
    over the ratio, median over the data set, of such a limb to a head. That needs the whole data set at hand; ``0.75 *
    mean limb`` is the same within 6 % (standard deviation of the logarithm over LSP's 2,000 people; the median limb,
    the upper quartile, the box and the torso are off by 10 to 20 %).

    Args:
        joints (np.ndarray): (K, 2) cells.
        labelled (np.ndarray): (K,) bool.
        limbs (np.ndarray): (L, 2) of :func:`tree_limbs`.
        per_limb (float): Scale of a person whose limbs have the mean length 1.
        minimum (float): Least scale, in cells; also that of a person without a labelled limb.

    Returns:
        float: Cells.
    """
    limbs = limbs[labelled[limbs].all(axis=1)]
    if not len(limbs):
        return minimum
    lengths = np.linalg.norm(joints[limbs[:, 0]] - joints[limbs[:, 1]], axis=1)
    return max(minimum, per_limb * float(lengths.mean()))


def cell_shares(cells: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Share of each part in its cell: 1/n where n parts are in it.

    Args:
        cells (np.ndarray): (V,) int, which cell.
        present (np.ndarray): (V,) bool, whether the part has one.

    Returns:
        np.ndarray: (V,) float32, 0 where it has none.
    """
    same = (cells[:, None] == cells) & present & present[:, None]
    return present / np.maximum(same.sum(axis=1), 1).astype(np.float32)


def ring_zones(cells: np.ndarray, inner: float, outer: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells near parts, and cells of the rings around them.

    A cell near one part is not in the ring of another. Parts off the map count, where their surroundings reach into it.

    Args:
        cells (np.ndarray): (V, 2) of the labelled parts, x and y.
        inner (float): Cells up to this far (in cells, between centres) are near.
        outer (float): Those from there up to this far are in the ring.
        size (tuple[int, int]): (w, h) of the map.

    Returns:
        tuple[np.ndarray, np.ndarray]: (h, w) bool near, (h, w) bool ring.
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
    """How cells that hold no part are sampled; lengths in units of the person's scale, see :func:`person_scale`.

    Args:
        ignore_radius (float): Cells up to this far from a labelled part are ignored (rounded down to whole cells).
        ring_radius (float): Cells from there up to this far (rounded up) are the ring.
        ring_rate (float): Probability that a cell of the ring is drawn.
        ring_weight (float): What it weighs in the loss.
        negative_rate (float): Probability that any other cell of an image with a labelled person is drawn.
        negative_weight (float): What it weighs.
        background_rate (float): Probability that a cell of an image without a person is drawn.
        background_weight (float): What it weighs.
        scale_per_limb (float): The person's scale is this times the mean length of the labelled limbs.
        min_scale (float): Its least value, in cells. At 2.5 cells the four neighbours of a part are still ignored.

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


# The release draws no other cells of images with people: it has as many images without. Without those a model never
# sees the background, so the paper's rate is kept there; `sampling=dict(negative_rate=0)` is the release to the letter.
PRESETS = dict(
    release=Sampling(),
    paper=Sampling(ignore_radius=0.0, ring_radius=0.0, ring_rate=0.0, background_rate=0.0005, background_weight=1.0),
)


def build_sampling(preset: str, changes: Mapping[str, float] | None = None) -> Sampling:
    """A preset, with other values for some keys.

    Args:
        preset (str): Of :data:`PRESETS`.
        changes (Mapping, optional): From keys of :class:`Sampling` to values.

    Returns:
        Sampling: The values.

    Raises:
        KeyError: There is no such key.
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
    """With which probability each cell is drawn as background, and what it weighs then.

    Args:
        cells (np.ndarray): (V, 2) of the labelled parts, on the map or off.
        scale (float): Of the person, in cells.
        sampling (Sampling): The rates and weights.
        size (tuple[int, int]): (w, h) of the map.

    Returns:
        tuple[np.ndarray, np.ndarray]: (h, w) float32 rates, 0 near parts; (h, w) float32 weights.
    """
    # whole cells as in the release: a ring at least one cell wide around people of any size
    inner = np.floor(sampling.ignore_radius * scale)
    outer = np.ceil(sampling.ring_radius * scale)
    near, ring = ring_zones(cells, inner, outer, size)
    rates = np.where(ring, sampling.ring_rate, sampling.negative_rate)
    weights = np.where(ring, sampling.ring_weight, sampling.negative_weight)
    return np.where(near, 0, rates).astype(np.float32), weights.astype(np.float32)
