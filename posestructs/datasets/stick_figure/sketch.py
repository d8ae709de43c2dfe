"""A drawing as a list of shapes, painted one over another into an index image.

Every shape carries a palette index; an index belongs to an owner (a body part, an occluder, the background ...) and has
a colour, and a second colour where a pattern shows. Painting writes indices, not colours, so after it every pixel knows
which part owns it: the image and the occlusion labels cannot disagree.

Coordinates are pixels of the canvas, pixel centres at integers.

The owners are numbered here: body parts, clutter, look-alikes and occluders.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from posestructs.datasets.stick_figure.exact import rotation
from posestructs.datasets.stick_figure.skeleton import JOINTS, SIDES

Colour = tuple[int, int, int]  # blue, green, red
Circle = tuple[float, float, float]  # x, y, radius

FREE = 0  # palette index of a pixel that nothing has been drawn on
PATTERN_BIT = 128  # set in the pattern image where a patterned index shows its second colour
_SHIFT = 4  # fractional bits of the coordinates given to OpenCV
_LIMIT = float(1 << 14)  # of a coordinate: far outside any canvas, far inside OpenCV's fixed-point range
_RING = np.array([rotation(30.0 * i) for i in range(12)])  # corners of a circle in a hull


class Sketch:
    """An ordered list of shapes and the palette they use."""

    def __init__(self) -> None:
        self._owners = [0]
        self._colours: list[Colour] = [(0, 0, 0)]
        self._patterns: list[Colour] = [(0, 0, 0)]
        self._known: dict[tuple, int] = {}
        self._shapes: list[
            tuple[int, int, int]
        ] = []  # palette index, row in its table, circles of a hull (0: a capsule)
        self._capsules: list[float] = []
        self._hulls: list[float] = []

    def colour(self, owner: int, colour: Colour, pattern: Colour | None = None) -> int:
        """Palette index of a colour of an owner.

        Args:
            owner: Whose pixels these are.
            colour: Blue, green, red in 0..255.
            pattern: The colour under the pattern. Default: the same, so the pattern does not show.

        Returns:
            int: Index in 1..127.
        """
        key = (owner, colour, pattern)
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self._owners)
            if index >= PATTERN_BIT:
                raise ValueError(f'a sketch holds {PATTERN_BIT - 1} colours at most')
            self._owners.append(owner)
            self._colours.append(colour)
            self._patterns.append(pattern or colour)
        return index

    def capsule(self, index: int, start: Circle, end: Circle) -> None:
        """Add the hull of two circles."""
        self._shapes.append((index, len(self._capsules) // 6, 0))
        self._capsules += start
        self._capsules += end

    def hull(self, index: int, circles: Sequence[Circle]) -> None:
        """Add the hull of any number of circles; a circle of radius 0 is a corner."""
        self._shapes.append((index, len(self._hulls) // 3, len(circles)))
        for circle in circles:
            self._hulls += circle

    def box(self, index: int, x: float, y: float, half_width: float, half_height: float, degrees: float = 0.0) -> None:
        """Add a rectangle around (x, y), turned by an angle."""
        c, s = rotation(degrees)
        sides = (
            (-half_width, -half_height),
            (half_width, -half_height),
            (half_width, half_height),
            (-half_width, half_height),
        )
        self.hull(index, [(x + dx * c - dy * s, y + dx * s + dy * c, 0.0) for dx, dy in sides])

    def paint(self, canvas: np.ndarray) -> None:
        """Paint all shapes in order.

        Args:
            canvas: Index image, uint8 (H, W), changed in place.
        """
        capsules = _fixed_point(capsule_outlines(np.array(self._capsules).reshape(-1, 6)))
        rings = _fixed_point(rings_of(np.array(self._hulls).reshape(-1, 3)))
        fill = cv2.fillConvexPoly
        for index, row, circles in self._shapes:
            outline = cv2.convexHull(rings[row : row + circles].reshape(-1, 2)) if circles else capsules[row]
            fill(canvas, outline, index, cv2.LINE_8, _SHIFT)

    def owners(self) -> np.ndarray:
        """Owner of each of the 256 pixel values, uint8; 0 for a free pixel, patterned or not."""
        table = np.zeros(256, np.uint8)
        table[: len(self._owners)] = self._owners
        table[PATTERN_BIT : PATTERN_BIT + len(self._owners)] = self._owners
        return table

    def palette(self) -> np.ndarray:
        """Colour of each of the 256 pixel values, uint8 (256, 1, 3)."""
        table = np.zeros((256, 1, 3), np.uint8)
        table[: len(self._colours), 0] = self._colours
        table[PATTERN_BIT : PATTERN_BIT + len(self._patterns), 0] = self._patterns
        return table


def capsule_outlines(capsules: np.ndarray) -> np.ndarray:
    """Outlines of the hulls of pairs of circles.

    Args:
        capsules: (N, 6): x, y, radius of the one and of the other circle.

    Returns:
        np.ndarray: Convex polygons (N, 18, 2): the common tangents as straight sides, each cap an arc of 8 chords.
        Where one circle lies inside the other the outline is the larger one.
    """
    start, end = _without_swallowed(capsules[:, :3].T, capsules[:, 3:].T)
    (ax, ay, ra), (bx, by, rb) = start, end
    dx, dy = bx - ax, by - ay
    length = np.sqrt(dx * dx + dy * dy)
    apart = length > 0
    scale = 1.0 / np.where(apart, length, 1.0)
    ux, uy = np.where(apart, dx * scale, 1.0), dy * scale
    # seen from either centre, the tangent points lie at this angle from the axis
    cos = (ra - rb) * scale
    sin = np.sqrt(np.maximum(1.0 - cos * cos, 0.0))
    count = len(capsules)
    x, y = _arcs(np.concatenate([-cos, cos]), np.concatenate([sin, sin]))
    outlines = np.empty((2, 2, 9, count))  # coordinate, end, corner, capsule
    for end_number, (cx, cy, radius, sign) in enumerate(((ax, ay, ra, -1.0), (bx, by, rb, 1.0))):
        columns = slice(end_number * count, (end_number + 1) * count)
        px, py = sign * x[:, columns], -sign * y[:, columns]  # the cap at the start runs the other way round
        outlines[0, end_number] = cx + radius * (px * ux - py * uy)
        outlines[1, end_number] = cy + radius * (px * uy + py * ux)
    return np.ascontiguousarray(outlines.reshape(2, 18, count).transpose(2, 1, 0))


def _without_swallowed(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (3, N), with a circle that lies inside the other replaced by that other."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    difference = end[2] - start[2]
    swallowed = dx * dx + dy * dy <= difference * difference + 1e-6
    return np.where(swallowed & (difference > 0), end, start), np.where(swallowed & (difference <= 0), start, end)


def _arcs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nine unit vectors (9, N) from (x, y) over (1, 0) to (x, -y), by halving the arc three times."""
    corners_x, corners_y = np.ones((9, len(x))), np.zeros((9, len(x)))
    corners_x[0], corners_y[0] = x, y
    for low, high in ((0, 4), (0, 2), (2, 4)):
        middle_x = corners_x[low] + corners_x[high]
        middle_y = corners_y[low] + corners_y[high]
        scale = 1.0 / np.maximum(np.sqrt(middle_x * middle_x + middle_y * middle_y), 1e-9)
        corners_x[(low + high) // 2], corners_y[(low + high) // 2] = middle_x * scale, middle_y * scale
    corners_x[5:], corners_y[5:] = corners_x[3::-1], -corners_y[3::-1]
    return corners_x, corners_y


def rings_of(circles: np.ndarray) -> np.ndarray:
    """Points (N, 12, 2) around circles (N, 3)."""
    return circles[:, None, :2] + circles[:, None, 2:] * _RING


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(points, -_LIMIT, _LIMIT) * (1 << _SHIFT)).astype(np.int32)


BODY_PARTS = (
    'torso',
    'neck',
    'head',
    *(f'{side}_{part}' for side in SIDES for part in ('upper_arm', 'forearm', 'hand', 'thigh', 'shin', 'foot')),
)
# owner numbers, as Scene.owners holds them
BACKGROUND = 0
OWNER = {name: number for number, name in enumerate(BODY_PARTS, start=1)}
CLUTTER = 20  # things behind the person other than limbs
LOOKALIKE = 24  # and upwards: limbs behind the person that are not the person's
OCCLUDER = 32  # and upwards: things in front of the person

_MEET = {
    'shoulder': ('torso', 'upper_arm'),
    'elbow': ('upper_arm', 'forearm'),
    'wrist': ('forearm', 'hand'),
    'hip': ('torso', 'thigh'),
    'knee': ('thigh', 'shin'),
    'ankle': ('shin', 'foot'),
    # in the trunk more than two segments meet
    'pelvis': ('torso', 'left_thigh', 'right_thigh'),
    'thorax': ('torso', 'neck', 'left_upper_arm', 'right_upper_arm'),
    'upper_neck': ('neck', 'head'),
    'head_top': ('head',),
}


def own_parts(joint: str) -> tuple[str, ...]:
    """The segments that meet in a joint; none of them hides it.

    Args:
        joint: One of ``JOINTS``.

    Returns:
        tuple: Names among ``BODY_PARTS``.
    """
    side, _, kind = joint.partition('_')
    if side not in SIDES:
        return _MEET[joint]
    return tuple(part if part == 'torso' else f'{side}_{part}' for part in _MEET[kind])


OWN_NUMBERS = {joint: frozenset(OWNER[part] for part in own_parts(joint)) for joint in JOINTS}
