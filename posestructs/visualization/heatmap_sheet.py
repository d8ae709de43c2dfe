"""Pose maps, occlusion maps and the verdicts of discriminators on them, joint by joint. Images are uint8 RGB.

Shapes: K joints, H x W pixels of the picture, h x w cells of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from posestructs.visualization.contact_sheet import contact_sheet, stack_rows

# short names of discriminators
LETTERS = dict(pose='P', confidence='C')

_BAR_HEIGHT = 16
_YES, _NO, _GROUND = (60, 160, 60), (190, 60, 50), (32, 32, 32)


class Verdicts(NamedTuple):
    """What one discriminator says.

    Attributes:
        scores: (K,) how likely each joint is true, 0 to 1.
        labels: (K,) what it should say, 1 or 0; NaN where that is not known.
    """

    scores: np.ndarray
    labels: np.ndarray


def overlay(image: np.ndarray, heatmap: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Colour a grey picture where a map is high.

    Args:
        image: (H, W, 3) uint8; H and W are the same multiple of h and w up to rounding.
        heatmap: (h, w); cell (x, y) lies at pixel (x, y) * W / w, as the codecs of heatmaps have it.
        top: Value that is shown in full.

    Returns:
        np.ndarray: (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    scale = np.array([[width / heatmap.shape[1], 0, 0], [0, height / heatmap.shape[0], 0]])
    share = np.clip(np.asarray(heatmap, np.float32) / top, 0, 1)
    large = cv2.warpAffine(share, scale, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2) * 0.6
    color = cv2.applyColorMap(np.uint8(255 * large), cv2.COLORMAP_JET)[..., ::-1]
    return np.uint8(np.round(grey * (1 - large) + color * large))


def verdict_bar(width: int, title: str, score: float, label: float) -> np.ndarray:
    """A bar as long as a score, in green where the verdict is right and in red where it is wrong.

    Args:
        width: In pixels.
        title: Stands before the score.
        score: 0 to 1; above a half it says that the joint is true.
        label: 1 or 0; NaN gives a grey bar.

    Returns:
        np.ndarray: (16, width, 3) uint8.
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
    verdicts: Mapping[str, Verdicts] | None = None,
    names: Sequence[str] | None = None,
    columns: int = 7,
) -> np.ndarray:
    """A tile per joint: its pose map over the image, its occlusion map, and a bar per discriminator.

    Args:
        image: (H, W, 3) uint8, what the model sees.
        pose: (K, h, w).
        occlusion: (K, h, w), if there are any.
        verdicts: By what stands on the bar, such as 'P'.
        names: K titles; by default numbers.
        columns: Tiles in a row.

    Returns:
        np.ndarray: The sheet, uint8.

    Raises:
        ValueError: Something is not of K joints.
    """
    count = len(pose)
    parts = dict(occlusion=occlusion, names=names)
    for title, verdict in (verdicts or {}).items():
        parts |= {f'verdicts[{title!r}].{key}': value for key, value in verdict._asdict().items()}
    for key, value in parts.items():
        if value is not None and len(value) != count:
            raise ValueError(f'{key} is of {len(value)} joints, pose of {count}')
    tiles = []
    for k in range(count):
        rows = [overlay(image, pose[k])]
        if occlusion is not None:
            rows.append(overlay(image, occlusion[k]))
        for title, verdict in (verdicts or {}).items():
            rows.append(verdict_bar(image.shape[1], title, float(verdict.scores[k]), float(verdict.labels[k])))
        tiles.append(stack_rows(rows))
    return contact_sheet(tiles, columns, [str(k) for k in range(count)] if names is None else names)
