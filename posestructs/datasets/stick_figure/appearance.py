"""Skin, hair, clothes and colours of a figure."""

from __future__ import annotations

from typing import NamedTuple

from posestructs.datasets.stick_figure.exact import RandomStream
from posestructs.datasets.stick_figure.sketch import Colour

# blue, green, red
SKINS: tuple[Colour, ...] = (
    (188, 214, 245), (160, 193, 234), (132, 172, 224), (105, 146, 204), (84, 122, 178), (62, 94, 146), (48, 72, 112),
    (36, 52, 84),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (28, 26, 30), (34, 44, 66), (38, 62, 104), (60, 100, 160), (104, 160, 206), (60, 76, 180), (170, 176, 182),
    (150, 90, 70),
)  # fmt: skip
CLOTHS: tuple[Colour, ...] = (
    (236, 236, 234), (200, 200, 196), (130, 128, 126), (70, 68, 66), (36, 34, 34), (52, 48, 190), (44, 60, 140),
    (60, 120, 230), (70, 190, 236), (90, 220, 240), (80, 170, 90), (60, 110, 50), (150, 180, 60), (200, 160, 50),
    (190, 110, 40), (140, 70, 40), (110, 50, 80), (170, 80, 150), (180, 150, 220), (150, 190, 200), (90, 130, 170),
    (60, 90, 130), (100, 60, 50), (210, 200, 150),
)  # fmt: skip
JEANS: tuple[Colour, ...] = ((130, 90, 60), (96, 66, 44), (60, 46, 40), (44, 42, 42), (70, 90, 110), (120, 126, 130))
HAIR_STYLES = ('short', 'short', 'bald', 'long', 'long', 'ponytail', 'bun', 'cap')


class Appearance(NamedTuple):
    """Colours, and how far the clothes reach."""

    skin: Colour
    hair: Colour
    shirt: Colour
    shirt_pattern: Colour
    shirt_inner: Colour
    trousers: Colour
    trousers_pattern: Colour
    shoes: Colour
    hair_style: str
    sleeve: float  # 0 none, 1 to the elbow, 2 to the wrist
    trouser: float  # 0 none, 1 to the knee, 2 to the ankle
    skirt: float  # share of the thigh that a skirt hides; 0: no skirt
    open_front: bool  # a jacket over a shirt of another colour
    backpack: Colour | None


def sample_appearance(rng: RandomStream) -> Appearance:
    """Draw what one person looks like."""
    shirt = jitter(rng, rng.pick(CLOTHS), 14)
    trousers = jitter(rng, rng.pick(JEANS) if rng.chance(0.5) else rng.pick(CLOTHS), 12)
    patterned = rng.chance(0.4)
    skirt = rng.uniform(0.35, 0.8) if rng.chance(0.15) else 0.0
    bare_legs = skirt > 0 or rng.chance(0.1)
    return Appearance(
        skin=jitter(rng, rng.pick(SKINS), 8),
        hair=jitter(rng, rng.pick(HAIRS), 8),
        shirt=shirt,
        shirt_pattern=jitter(rng, rng.pick(CLOTHS), 14) if patterned else shirt,
        shirt_inner=rng.pick(CLOTHS),
        trousers=trousers,
        trousers_pattern=shade(trousers, 0.8) if rng.chance(0.3) else trousers,
        shoes=jitter(rng, rng.pick(CLOTHS), 10),
        hair_style=rng.pick(HAIR_STYLES),
        sleeve=rng.weighted((0.0, rng.uniform(0.4, 0.8), rng.uniform(1.2, 1.7), 2.0), (2, 5, 1, 5)),
        trouser=0.0 if bare_legs else rng.weighted((rng.uniform(0.3, 0.8), rng.uniform(1.3, 1.7), 2.0), (4, 1, 6)),
        skirt=skirt,
        open_front=rng.chance(0.2),
        backpack=rng.pick(CLOTHS) if rng.chance(0.12) else None,
    )


def jitter(rng: RandomStream, colour: Colour, amount: float) -> Colour:
    """A colour near another, each channel moved by up to ``amount``."""
    blue, green, red = [int(channel + rng.uniform(-amount, amount)) for channel in colour]
    return min(max(blue, 0), 255), min(max(green, 0), 255), min(max(red, 0), 255)


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (factor below 1) or lighter tone (1 to 2) of a colour."""
    blue, green, red = colour
    if factor <= 1.0:
        return int(blue * factor), int(green * factor), int(red * factor)
    left = 2.0 - factor
    return 255 - int((255 - blue) * left), 255 - int((255 - green) * left), 255 - int((255 - red) * left)
