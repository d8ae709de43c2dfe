"""One person as shapes, ordered by depth, the farthest part first."""

from __future__ import annotations

from posestructs.datasets.stick_figure.head import head
from posestructs.datasets.stick_figure.limbs import Layer, limb_layers
from posestructs.datasets.stick_figure.pen import Pen
from posestructs.datasets.stick_figure.skeleton import SIDES
from posestructs.datasets.stick_figure.trunk import backpack, neck, skirt, torso

_HEAD_NEARER = 0.03  # the head is thick: its surface lies before its centre
_SKIRT_NEARER = 0.012
_BAG_BEHIND = 0.09


def person_layers(pen: Pen) -> list[Layer]:
    """The parts of a person, each with the depth of its middle in statures, the farthest first."""
    layers: list[Layer] = [
        (pen.trunk_depth, lambda: torso(pen)),
        (pen.depth('thorax', 'upper_neck'), lambda: neck(pen)),
        (pen.depth('head_centre') - _HEAD_NEARER, lambda: head(pen)),
    ]
    for side in SIDES:
        layers += limb_layers(pen, 'arm', side)
        layers += limb_layers(pen, 'leg', side)
    if pen.look.skirt:
        thighs = min(pen.depth(f'{side}_hip', f'{side}_knee') for side in SIDES)
        layers.append((thighs - _SKIRT_NEARER, lambda: skirt(pen)))
    if pen.look.backpack:
        layers.append((pen.trunk_depth + _BAG_BEHIND * pen.body.chest[2][2], lambda: backpack(pen)))
    return sorted(layers, key=lambda layer: -layer[0])


def draw_person(pen: Pen) -> None:
    """Add all parts of a person to the pen's sketch.

    The order of depth decides what hides what, in the picture and in the labels.
    """
    for _, paint in person_layers(pen):
        paint()
