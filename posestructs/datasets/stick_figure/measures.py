"""How hard a picture is: what is hidden in it, and what could be mistaken for a limb of the person."""

from __future__ import annotations

import numpy as np

from posestructs.datasets.stick_figure.limbs import KINDS, limb_circles
from posestructs.datasets.stick_figure.lookalikes import Lookalike, middle_of
from posestructs.datasets.stick_figure.parts import OWNER
from posestructs.datasets.stick_figure.scene import Scene
from posestructs.datasets.stick_figure.sketch import Sketch

CLEARLY_SEEN = 0.3  # share of a limb's pixels
SIMILAR = 40.0  # grey levels between the mean colours of two limbs


def near_lookalikes(scene: Scene) -> list[Lookalike]:
    """The look-alikes of a picture that can really be taken for a limb of the person.

    Each is of the same class as its twin (arm or leg) by construction, and counts where

    - its middle (the mean of its three joints) lies within one torso length of its twin's, both in the image; the torso
      length is that of TorsoPCK, from the left shoulder to the right hip;
    - at least 30 % of its pixels are seen;
    - its mean colour in the picture differs from its twin's by at most 40 grey levels a channel, in the mean of the
      channels, where anything is seen of the twin.

    Args:
        scene (Scene): A picture.

    Returns:
        list[Lookalike]: Those that count.
    """
    (ax, ay, _), (bx, by, _) = (scene.pen.seen[name] for name in ('left_shoulder', 'right_hip'))
    torso = ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
    found = []
    for limb in scene.lookalikes:
        x, y = middle_of(limb_circles(scene.pen, limb.kind, limb.twin))
        near = (limb.middle[0] - x) ** 2 + (limb.middle[1] - y) ** 2 <= torso**2
        if near and visible_share(scene, limb) >= CLEARLY_SEEN and colour_distance(scene, limb) <= SIMILAR:
            found.append(limb)
    return found


def visible_share(scene: Scene, limb: Lookalike) -> float:
    """Share of a look-alike's pixels, those outside the image included, that the picture shows."""
    circles = np.array(limb.circles)
    margin = int(np.abs(circles).max()) + 2  # room for what lies outside, on every side
    alone = Sketch()
    for start, end in zip(circles, circles[1:], strict=False):
        shift = np.array([margin, margin, 0.0])
        alone.capsule(1, tuple(start + shift), tuple(end + shift))
    canvas = np.zeros([side + 2 * margin for side in scene.canvas.shape], np.uint8)
    alone.paint(canvas)
    return min(1.0, np.count_nonzero(scene.owners == limb.owner) / max(1, np.count_nonzero(canvas)))


def colour_distance(scene: Scene, limb: Lookalike) -> float:
    """Mean difference a channel between the mean colours of a look-alike and its twin; 0 where either is not seen."""
    owners = scene.owners[::2, ::2]
    mine = scene.image[owners == limb.owner]
    parts = [OWNER[f'{limb.twin}_{part}'] for part in KINDS[limb.kind].parts]
    other = scene.image[np.isin(owners, parts)]
    if not len(mine) or not len(other):
        return 0.0
    return float(np.abs(mine.mean(axis=0) - other.mean(axis=0)).mean())
