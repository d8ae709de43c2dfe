"""From statures to pixels: a weak perspective view of a body, fitted into the canvas."""

from __future__ import annotations

from typing import NamedTuple

from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.skeleton import Point

_MARGIN = 0.055  # statures around the joints, for flesh, hair and shoes


class View(NamedTuple):
    """How the camera sees points of a body.

    A point's image is ``offset + pixels * perspective * (x, y)`` with ``perspective = distance / (distance + z)``.
    """

    distance: float  # of the camera from the pelvis, in statures
    pixels: float  # canvas pixels per stature at the pelvis
    offset: tuple[float, float]

    def project(self, point: Point) -> tuple[float, float, float]:
        """Canvas x and y of a point, and canvas pixels per stature at its depth."""
        x, y, z = point
        scale = self.pixels * (self.distance / (self.distance + z))
        return self.offset[0] + x * scale, self.offset[1] + y * scale, scale


def fit_view(
    rng: RandomStream, points: dict[str, Point], size: tuple[int, int], scale: tuple[float, float], crop_prob: float
) -> View:
    """Choose a view that shows a body.

    Args:
        rng (RandomStream): Source of the draws.
        points (dict): Points of the body, in statures.
        size (tuple): Width and height of the canvas, in pixels.
        scale (tuple): Range of the share of the canvas that the body spans, in its tighter direction.
        crop_prob (float): Probability of a view so close that a part of the body can lie outside.

    Returns:
        View: The camera; unless it is a close one, the body lies within the canvas. The waist always does.
    """
    distance = rng.uniform(3.0, 8.0)
    seen = [View(distance, 1.0, (0.0, 0.0)).project(point) for point in points.values()]
    left, right = min(p[0] for p in seen) - _MARGIN, max(p[0] for p in seen) + _MARGIN
    top, bottom = min(p[1] for p in seen) - _MARGIN, max(p[1] for p in seen) + _MARGIN
    share = rng.uniform(*scale)
    close = rng.chance(crop_prob)
    if close:
        share *= rng.uniform(1.1, 1.5)
    pixels = share * min(size[0] / (right - left), size[1] / (bottom - top))
    waist = View(distance, pixels, (0.0, 0.0)).project(points['waist'])
    offset = []
    for low, high, extent, centre in ((left, right, size[0], waist[0]), (top, bottom, size[1], waist[1])):
        slack = extent - pixels * (high - low)
        start = rng.unit() * slack - pixels * low - 0.5
        # however close the view, the waist stays in it
        offset.append(min(max(start, 0.1 * extent - centre), 0.9 * extent - centre))
    return View(distance, pixels, (offset[0], offset[1]))
