"""Draw messages between parts, after the figures of Chu et al., CVPR 2016: the score of a neighbour, the kernel of its
message, and the effect on the score of the receiving part. Images are uint8 RGB.

Shapes: h x w cells of the model's maps, H x W pixels of its input.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing
from posestructs.utils.arrays import to_array
from posestructs.visualization import message_trace as tracing

_CAPTION = (
    'Score before messages: the same head on the input features f(A_k), f(B_k); after: on the updated ones. Both are '
    "probabilities on one scale; numbers are their maxima. The sender's score is that of its features of that "
    'direction. A kernel shows where a sender in its centre raises (red) or lowers (blue) the score of {part}; axes in '
    'cells. The effect is the score of {part} before the softmax minus its score without this one message.'
)
_MARK = dict(linestyle='none', markersize=10, fillstyle='none')
_INK = {'o': '#d95f02', 's': '#1b9e77', '+': 'black'}
_NO_MESSAGES = 'The model has no messages to {part}: its score is the same before and after.'


class NeighbourMaps(NamedTuple):
    """Message of one neighbour to a part.

    Attributes:
        name: Name of the neighbour.
        direction: 'up' if it is a child, 'down' if it is the parent.
        score: (h, w) score of the neighbour from its features of this direction.
        kernel: (side, side), see :func:`.message_trace.effective_kernel`; ``None`` if ``without`` is shown.
        effect: (h, w), see :func:`.message_trace.message_effect` or :mod:`.residual_messages`.
        without: (h, w) score of the part without this message.
    """

    name: str
    direction: str
    score: np.ndarray
    kernel: np.ndarray | None
    effect: np.ndarray
    without: np.ndarray | None = None


class PartMaps(NamedTuple):
    """Score of a part and the messages that it receives.

    Attributes:
        name: Name of the part.
        before: (h, w) probability (or heatmap) without messages.
        after: (h, w) probability (or heatmap) with messages.
        neighbours: Messages, children first.
        caption: Explanation below the drawing; ``{part}`` stands for the name of the part.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    neighbours: tuple[NeighbourMaps, ...]
    caption: str = _CAPTION


@torch.no_grad()
def part_maps(
    neck: TreeMessagePassing, head: PartScoreHead, trace: tracing.Trace, part: int, image: int = 0
) -> PartMaps:
    """Maps of one part in one image.

    Args:
        neck: The neck.
        head: The head.
        trace: Trace of the neck.
        part: The part.
        image: Index of the image in the batch.

    Returns:
        Maps of the part.
    """

    neighbours = [
        NeighbourMaps(
            neck.tree.names[sender],
            direction,
            to_array(tracing.evidence(head, trace, sender, direction)[image]),
            to_array(tracing.effective_kernel(neck, head, sender, part)),
            to_array(tracing.message_effect(head, trace, sender, part)[image]),
        )
        for direction in tracing.SIDES
        for sender in tracing.neighbours(neck, part, direction)
    ]
    before, after = (
        to_array(tracing.part_probability(head, trace, part, with_messages)[image]) for with_messages in (False, True)
    )
    return PartMaps(neck.tree.names[part], before, after, tuple(neighbours))


def draw_messages(
    image: np.ndarray, maps: PartMaps, target: np.ndarray | None = None, title: str = '', tile: float = 3.0
) -> np.ndarray:
    """Draw the score of a part before and after messages, and below it a row for each neighbour.

    Args:
        image: (H, W, 3) uint8 RGB input of the model.
        maps: Result of :func:`part_maps`.
        target: (2,) labelled position of the part in pixels.
        title: Title of the whole figure.
        tile: Side of a map in inches, at 100 dots per inch.

    Returns:
        Image of three columns, (height, width, 3) uint8 RGB.
    """
    rows = 1 + len(maps.neighbours)
    figure = Figure(figsize=(3.4 * tile, tile * rows + 1.0), dpi=100, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title or maps.name, fontsize=11)
    axes = figure.subplots(rows, 3, squeeze=False)
    _draw_scores(figure, axes[0], image, maps, target)
    for row, neighbour in zip(axes[1:], maps.neighbours, strict=True):
        _draw_neighbour(figure, row, image, maps, neighbour)
    caption = (maps.caption if maps.neighbours else _NO_MESSAGES).format(part=maps.name)
    figure.supxlabel(textwrap.fill(caption, int(44 * tile)), fontsize=8, ha='left', x=0.01)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_scores(
    figure: Figure, axes: Sequence[Axes], image: np.ndarray, maps: PartMaps, target: np.ndarray | None
) -> None:
    axes[0].imshow(image)
    marks = [(_peak(maps.before, image), 'o', 'before'), (_peak(maps.after, image), 's', 'after')]
    if target is not None:
        marks.append((target, '+', 'labelled'))
    for (x, y), marker, label in marks:
        axes[0].plot(x, y, marker, **_MARK, color='white', markeredgewidth=4)
        axes[0].plot(x, y, marker, **_MARK, color=_INK[marker], markeredgewidth=1.8, label=label)
    axes[0].legend(loc='lower left', fontsize=7, framealpha=0.8)
    axes[0].set_title(f'{maps.name}: best cells', fontsize=9)
    top = max(float(maps.before.max()), float(maps.after.max()), 1e-12)
    for ax, score, when in ((axes[1], maps.before, 'before'), (axes[2], maps.after, 'after')):
        shown = _overlay(ax, image, score, 'inferno', 0, top)
        ax.set_title(f'score {when} messages: {score.max():.2g}', fontsize=9)
        _bar(figure, ax, shown)
    for ax in axes:
        ax.set_axis_off()


def _draw_neighbour(
    figure: Figure, axes: Sequence[Axes], image: np.ndarray, maps: PartMaps, neighbour: NeighbourMaps
) -> None:
    relation = 'child' if neighbour.direction == 'up' else 'parent'
    low, high = float(neighbour.score.min()), float(neighbour.score.max())
    shown = _overlay(axes[0], image, neighbour.score, 'viridis', low, max(high, low + 1e-12))
    axes[0].set_title(f'{neighbour.name} ({relation}): score', fontsize=9)
    _bar(figure, axes[0], shown)

    if neighbour.kernel is not None:
        _draw_kernel(figure, axes[1], neighbour.kernel, maps.name)
    else:
        top = max(float(maps.before.max()), float(maps.after.max()), 1e-12)
        shown = _overlay(axes[1], image, neighbour.without, 'inferno', 0, top)
        axes[1].set_title(f'{maps.name} without it: {neighbour.without.max():.2g}', fontsize=9)
        axes[1].set_axis_off()
        _bar(figure, axes[1], shown)

    most = _most(neighbour.effect)
    shown = _overlay(axes[2], image, neighbour.effect, 'RdBu_r', -most, most)
    axes[2].set_title(f'effect on {maps.name}', fontsize=9)
    _bar(figure, axes[2], shown)
    for ax in (axes[0], axes[2]):
        ax.set_axis_off()


def _draw_kernel(figure: Figure, ax: Axes, kernel: np.ndarray, part: str) -> None:
    half, most = kernel.shape[0] / 2, _most(kernel)
    extent = (-half, half, half, -half)
    shown = ax.imshow(kernel, cmap='RdBu_r', vmin=-most, vmax=most, extent=extent, interpolation='nearest')
    ax.plot(0, 0, '+', color='black', markersize=8)
    ax.tick_params(labelsize=7)
    ax.set_title(f'kernel to {part}', fontsize=9)
    _bar(figure, ax, shown)


def _overlay(ax: Axes, image: np.ndarray, maps: np.ndarray, colors: str, low: float, high: float):
    """Draw a map over the grey image, aligned with its pixels."""
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(image.mean(axis=2), cmap='gray', vmin=0, vmax=255, extent=extent)
    return ax.imshow(maps, cmap=colors, vmin=low, vmax=high, extent=extent, alpha=0.65, interpolation='nearest')


def _bar(figure: Figure, ax: Axes, shown) -> None:
    bar = figure.colorbar(shown, ax=ax, fraction=0.046, pad=0.03)
    bar.ax.tick_params(labelsize=6)


def _peak(maps: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Centre of the best cell in pixels."""
    y, x = np.unravel_index(maps.argmax(), maps.shape)
    size = np.divide(image.shape[1::-1], maps.shape[::-1])
    return (np.array([x, y]) + 0.5) * size - 0.5


def _most(maps: np.ndarray) -> float:
    return max(float(np.abs(maps).max()), 1e-12)
