"""Draw pose maps, occlusion maps and the scores of discriminators, joint by joint. Images are uint8 RGB.

Shapes: K joints, H x W pixels of the image, h x w cells of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from posestructs.visualization.contact_sheet import contact_sheet, stack_rows

_LETTERS = dict(pose='P', confidence='C')

_BAR_HEIGHT = 16
_YES, _NO, _GROUND = (60, 160, 60), (190, 60, 50), (32, 32, 32)


class DiscriminatorScores(NamedTuple):
    """Scores of one discriminator.

    Attributes:
        scores: (K,) probability that the map of each joint is real.
        labels: (K,) targets, 1 or 0; NaN where not known.
    """

    scores: np.ndarray
    labels: np.ndarray


def short_name(discriminator: str) -> str:
    """Text on the bar of a discriminator: 'P' and 'C' for the paper's, otherwise its name."""
    return _LETTERS.get(discriminator, discriminator)


def overlay(image: np.ndarray, heatmap: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Colour a grey version of the image where a map is high.

    Args:
        image: (H, W, 3) uint8; H and W are the same multiple of h and w up to rounding.
        heatmap: (h, w); cell (x, y) lies at pixel (x, y) * W / w, as in the heatmap codecs.
        top: Value that gets the full colour.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    scale = np.array([[width / heatmap.shape[1], 0, 0], [0, height / heatmap.shape[0], 0]])
    share = np.clip(np.asarray(heatmap, np.float32) / top, 0, 1)
    large = cv2.warpAffine(share, scale, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2) * 0.6
    color = cv2.applyColorMap(np.uint8(255 * large), cv2.COLORMAP_JET)[..., ::-1]
    return np.uint8(np.round(grey * (1 - large) + color * large))


def score_bar(width: int, title: str, score: float, label: float) -> np.ndarray:
    """Draw a bar as long as a score, green where it is on the side of its target, red where it is not.

    Args:
        width: Width in pixels.
        title: Text before the score.
        score: Score from 0 to 1; above 0.5 means real.
        label: Target, 1 or 0; NaN gives a grey bar.

    Returns:
        (16, width, 3) uint8.
    """
    bar = np.full((_BAR_HEIGHT, width, 3), _GROUND, np.uint8)
    color = (110, 110, 110) if np.isnan(label) else _YES if (score > 0.5) == (label > 0.5) else _NO
    bar[1:-1, : round(width * float(np.clip(score, 0, 1)))] = color
    text = f'{title} {100 * score:.0f}' + ('' if np.isnan(label) else f'  t={label:.0f}')
    cv2.putText(bar, text, (3, _BAR_HEIGHT - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (235, 235, 235), 1, cv2.LINE_AA)
    return bar


def heatmap_sheet(
    image: np.ndarray,
    pose: np.ndarray,
    occlusion: np.ndarray | None = None,
    scores: Mapping[str, DiscriminatorScores] | None = None,
    names: Sequence[str] | None = None,
    columns: int = 7,
) -> np.ndarray:
    """Draw a tile per joint: its pose map over the image, its occlusion map, and a bar per discriminator.

    Args:
        image: (H, W, 3) uint8, the input of the model.
        pose: (K, h, w) pose maps.
        occlusion: (K, h, w) occlusion maps, if there are any.
        scores: Scores by the text on the bar, such as 'P'.
        names: K titles; by default numbers.
        columns: Number of tiles in a row.

    Returns:
        The sheet, uint8.

    Raises:
        ValueError: An argument has another number of joints than ``pose``.
    """
    count = len(pose)
    parts = dict(occlusion=occlusion, names=names)
    for title, one in (scores or {}).items():
        parts |= {f'scores[{title!r}].{key}': value for key, value in one._asdict().items()}
    for key, value in parts.items():
        if value is not None and len(value) != count:
            raise ValueError(f'{key} has {len(value)} joints, pose has {count}')
    tiles = []
    for k in range(count):
        rows = [overlay(image, pose[k])]
        if occlusion is not None:
            rows.append(overlay(image, occlusion[k]))
        for title, one in (scores or {}).items():
            rows.append(score_bar(image.shape[1], title, float(one.scores[k]), float(one.labels[k])))
        tiles.append(stack_rows(rows))
    return contact_sheet(tiles, columns, [str(k) for k in range(count)] if names is None else names)
