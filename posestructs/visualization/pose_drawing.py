"""Draw poses with visible and occluded joints.

A visible joint is a filled disc, an occluded one a ring, one of unknown visibility a filled square. A limb that ends
in an occluded joint is dashed. Images are uint8 RGB, as in mmpose's visualizers; coordinates are 0-based pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from posestructs.utils.checks import check_number
from posestructs.visualization.tags import draw_tag

MAX_LENGTH = 10_000  # pixels
_BITS = 4  # of cv2's sub-pixel coordinates
_BLACK = (0, 0, 0)
_PALE = (230, 230, 230)
_RING = 1.45  # radius of a ring over that of a disc, so that its hole shows in small images

VISIBLE, OCCLUDED, UNKNOWN = 'visible', 'occluded', 'not known'
Color = tuple[int, int, int]


def draw_pose(
    image: np.ndarray,
    keypoints: np.ndarray,
    visible: np.ndarray | None = None,
    occluded: np.ndarray | None = None,
    metainfo: Mapping[str, Any] | None = None,
    *,
    scale: float = 1,
    threshold: float = 0.3,
    radius: float | None = None,
    line_width: int | None = None,
    opacity: np.ndarray | float = 1,
    indices: bool = False,
) -> np.ndarray:
    """Draw the skeletons of N persons with K joints.

    Args:
        image: (H, W, 3) uint8 RGB; it is not changed.
        keypoints: (N, K, 2) or (K, 2) joints in pixels of ``image``.
        visible: (N, K) or (K,) mmpose's ``keypoints_visible`` (labelled) or scores; joints below
            ``threshold`` are left out. Defaults to all ones.
        occluded: (N, K) or (K,) ``keypoints_occluded``: 0.5 and more is occluded, below 0 is not
            known. Defaults to all visible.
        metainfo: A data set's metainfo, of which ``skeleton_links``, ``keypoint_colors`` and
            ``skeleton_link_colors`` (RGB) are used where present; a colour ``None`` leaves its joint or limb out.
        scale: The image is enlarged by this factor first. Defaults to 1.
        threshold: Least value of ``visible`` that is drawn. Defaults to 0.3.
        radius: Radius of a joint in pixels of the result. By default derived from the sizes of image and person.
        line_width: Width of a limb in pixels of the result. By default half the radius.
        opacity: (N, K), (K,) or one number from 0 to 1. Defaults to 1.
        indices: Write each joint's index beside it. Defaults to False.

    Returns:
        (round(H * scale), round(W * scale), 3) uint8 RGB.

    Raises:
        ValueError: ``image`` is not (H, W, 3) uint8, an array or colour list does not fit the joints, or a number is
            not allowed.
    """
    check_number('threshold', threshold)
    check_length('radius', radius)
    check_length('line_width', line_width)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image={image.shape} {image.dtype}, allowed: (H, W, 3) uint8')
    canvas = enlarge(image, scale)
    points = np.asarray(keypoints, dtype=np.float64)
    points = points[..., :2].reshape(-1, *points.shape[-2:-1], 2)
    points = enlarged_points(points, scale)
    shape = points.shape[:2]
    visible = _per_joint('visible', visible, shape, 1)
    occluded = _per_joint('occluded', occluded, shape, 0)
    opacity = np.clip(_per_joint('opacity', opacity, shape, 1), 0, 1)
    style = _style(metainfo or {}, shape[1])
    for i in range(shape[0]):
        joints = _Joints(points[i], visible[i] >= threshold, occluded[i], opacity[i])
        _draw_person(canvas, joints, style, radius, line_width, indices)
    return canvas


def check_length(key: str, value: float | None) -> float | None:
    """Check the radius of a joint or the width of a line.

    Args:
        key: Name of the argument.
        value: Pixels, None for automatic.

    Returns:
        float | None: The value.

    Raises:
        ValueError: It is not a number above 0, or is larger than any image.
    """
    return check_number(key, value, above=0, below=MAX_LENGTH, optional=True)


def enlarge(image: np.ndarray, scale: float) -> np.ndarray:
    """Scale a copy of an image.

    Args:
        image: (H, W, 3) uint8.
        scale: Factor; 1 only copies.

    Returns:
        (round(H * scale), round(W * scale), 3) uint8.

    Raises:
        ValueError: ``scale`` is not above 0.
    """
    check_number('scale', scale, above=0)
    if scale == 1:
        return np.ascontiguousarray(image).copy()
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)


def enlarged_points(points: np.ndarray, scale: float) -> np.ndarray:
    """Positions of points of an image after :func:`enlarge`.

    Args:
        points: (..., 2) pixels; 0 is the centre of the first pixel.
        scale: Factor.

    Returns:
        (..., 2) pixels of the enlarged image.
    """
    return (np.asarray(points, dtype=np.float64) + 0.5) * scale - 0.5


def draw_legend(width: int, kinds: Sequence[str] = (VISIBLE, OCCLUDED, UNKNOWN)) -> np.ndarray:
    """Draw a legend of the marks, to be placed below images.

    Args:
        width: Width in pixels; the marks wrap into several lines if needed.
        kinds: Marks to explain, of 'visible', 'occluded', 'not known'.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    line, step, scale = 24, 28, 0.45
    places, x, y = [], 8, 0
    for kind in kinds:
        span = step + cv2.getTextSize(kind, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] + 14
        if x + span > width and x > 8:
            x, y = 8, y + line
        places.append((kind, x, y))
        x += span
    strip = np.full((y + line, width, 3), 32, dtype=np.uint8)
    for kind, x, y in places:
        _draw_joint(strip, np.array([x + 6, y + line // 2]), kind, (80, 200, 255), 6)
        place = x + step - 6, y + line // 2 + 5
        cv2.putText(strip, kind, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _PALE, 1, cv2.LINE_AA)
    return strip


class _Joints(NamedTuple):
    """One person: (K, 2) pixels of the canvas, (K,) whether to draw, (K,) occlusion label, (K,) opacity."""

    points: np.ndarray
    drawn: np.ndarray
    occluded: np.ndarray
    opacity: np.ndarray


class _Style(NamedTuple):
    links: list[tuple[int, int]]
    link_colors: list[Color | None]
    joint_colors: list[Color | None]


def _style(metainfo: Mapping[str, Any], num_joints: int) -> _Style:
    links = metainfo.get('skeleton_links')
    links = [] if links is None else [(int(a), int(b)) for a, b in links]
    return _Style(
        links,
        _colors('skeleton_link_colors', metainfo.get('skeleton_link_colors'), len(links)),
        _colors('keypoint_colors', metainfo.get('keypoint_colors'), num_joints),
    )


def _draw_person(
    canvas: np.ndarray, joints: _Joints, style: _Style, radius: float | None, line_width: int | None, indices: bool
) -> None:
    points, opacity = joints.points, joints.opacity
    drawn, hidden = joints.drawn & np.isfinite(points).all(axis=1), joints.occluded >= 0.5
    radius = _fitting_radius(canvas, points[drawn]) if radius is None else radius
    line_width = max(1, round(0.55 * radius)) if line_width is None else line_width
    for (a, b), color in zip(style.links, style.link_colors, strict=True):
        if drawn[a] and drawn[b] and color is not None:
            ends = _shorten(points[a], points[b], *(_RING * radius * hidden[[a, b]]))
            dashed = hidden[a] or hidden[b]
            _blend(canvas, (opacity[a] + opacity[b]) / 2, _draw_limb, *ends, color, line_width, dashed)
    for k in np.flatnonzero(drawn):
        if style.joint_colors[k] is not None:
            kind = OCCLUDED if hidden[k] else UNKNOWN if joints.occluded[k] < 0 else VISIBLE
            _blend(canvas, opacity[k], _draw_joint, points[k], kind, style.joint_colors[k], radius)
            if indices:
                draw_tag(canvas, str(k), points[k] + (radius + 1, -radius - 1), max(0.3, 0.1 * radius), above=True)


def _per_joint(name: str, value: np.ndarray | float | None, shape: tuple[int, int], default: float) -> np.ndarray:
    value = np.asarray(default if value is None else value, dtype=np.float64)
    if value.ndim == 3:  # mmpose's keypoints_visible with weights in a second channel
        value = value[..., 0]
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(f'{name} has the shape {value.shape}, allowed: {shape} or {shape[1:]}') from None


def _colors(name: str, colors: Sequence | None, count: int) -> list[Color | None]:
    if colors is None:
        wheel = np.array([[[180 * i // max(count, 1), 200, 255] for i in range(count)]], dtype=np.uint8)
        colors = cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB)[0] if count else []
    if len(colors) != count:
        raise ValueError(f'{name} has {len(colors)} colours, allowed: {count}')
    return [None if color is None else tuple(int(c) for c in color) for color in colors]


def _fixed(point: Sequence[float]) -> tuple[int, int]:
    """Fixed-point coordinates for cv2, clipped so that they fit into 32 bits."""
    x, y = np.clip(np.round(np.asarray(point, dtype=np.float64) * (1 << _BITS)), -(2**26), 2**26)
    return int(x), int(y)


def _fitting_radius(canvas: np.ndarray, points: np.ndarray) -> float:
    """Radius of a joint that fits the sizes of the image and the person."""
    by_image = np.sqrt(canvas.shape[0] * canvas.shape[1]) / 75
    by_person = np.ptp(points, axis=0).max() / 36 if len(points) else 0
    return float(max(2, min(by_image, by_person)))


def _blend(canvas: np.ndarray, opacity: float, draw: Any, *args: Any) -> None:
    if opacity >= 1:
        draw(canvas, *args)
    elif opacity > 0:
        layer = canvas.copy()
        draw(layer, *args)
        cv2.addWeighted(layer, opacity, canvas, 1 - opacity, 0, dst=canvas)


def _shorten(a: np.ndarray, b: np.ndarray, cut_a: float, cut_b: float) -> tuple[np.ndarray, np.ndarray]:
    """Shorten a limb so that it ends at the rings of its joints."""
    length = float(np.hypot(*(b - a)))
    if length <= cut_a + cut_b:
        return a, a
    along = (b - a) / length
    return a + along * cut_a, b - along * cut_b


def _draw_limb(canvas: np.ndarray, a: np.ndarray, b: np.ndarray, color: Color, width: int, dashed: bool) -> None:
    length = float(np.hypot(*(b - a)))
    if length == 0:
        return
    pieces = max(1, int(length / (3.0 * width + 3))) if dashed else 1
    for i in range(pieces):
        start = a + (b - a) * (i / pieces)
        end = start + (b - a) * ((0.55 if dashed else 1) / pieces)
        cv2.line(canvas, _fixed(start), _fixed(end), color, width, cv2.LINE_AA, _BITS)


def _draw_joint(canvas: np.ndarray, point: np.ndarray, kind: str, color: Color, radius: float) -> None:
    """Draw a mark with a dark rim, visible on any background."""
    r = round(radius * (1 << _BITS))
    rim = 1 << _BITS
    centre = _fixed(point)
    if kind == OCCLUDED:
        _draw_ring(canvas, point, color, _RING * radius, (_RING - 0.65) * radius)
    elif kind == UNKNOWN:
        half = round(0.85 * r)
        for reach, paint in ((half + rim, _BLACK), (half, color)):
            low, high = (centre[0] - reach, centre[1] - reach), (centre[0] + reach, centre[1] + reach)
            cv2.rectangle(canvas, low, high, paint, cv2.FILLED, cv2.LINE_AA, _BITS)
    else:
        cv2.circle(canvas, centre, r + rim, _BLACK, cv2.FILLED, cv2.LINE_AA, _BITS)
        cv2.circle(canvas, centre, r, color, cv2.FILLED, cv2.LINE_AA, _BITS)


def _draw_ring(canvas: np.ndarray, point: np.ndarray, color: Color, outer: float, inner: float) -> None:
    """Draw a ring with a transparent centre; thick circles of cv2 have no hole at this size."""
    reach = int(outer) + 3
    left, top = (int(v) - reach for v in np.clip(np.round(point), -(2**20), 2**20))
    rows = slice(max(top, 0), max(top + 2 * reach + 1, 0))
    columns = slice(max(left, 0), max(left + 2 * reach + 1, 0))
    behind = canvas[rows, columns].copy()
    if not behind.size:
        return
    centre = _fixed(point)
    cv2.circle(canvas, centre, round((outer + 1) * (1 << _BITS)), _BLACK, cv2.FILLED, cv2.LINE_AA, _BITS)
    cv2.circle(canvas, centre, round(outer * (1 << _BITS)), color, cv2.FILLED, cv2.LINE_AA, _BITS)
    hole = np.zeros(behind.shape[:2], dtype=np.uint8)
    centre = _fixed(point - (columns.start, rows.start))
    cv2.circle(hole, centre, round(inner * (1 << _BITS)), 255, cv2.FILLED, cv2.LINE_AA, _BITS)
    share = hole[..., None] / 255
    canvas[rows, columns] = np.round(share * behind + (1 - share) * canvas[rows, columns]).astype(np.uint8)
