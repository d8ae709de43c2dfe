"""Drawings of messages: the numbers that go in, and their positions."""

import numpy as np
import pytest
import torch

from posestructs.structures import build_tree
from posestructs.visualization import message_trace as tracing
from posestructs.visualization.message_drawing import NeighbourMaps, PartMaps, draw_messages, part_maps

SHAPE = (6, 8)


def one_cell(value, row=1, column=2, shape=SHAPE):
    maps = np.zeros(shape, np.float32)
    maps[row, column] = value
    return maps


def maps(effect, neighbours=1):
    one = NeighbourMaps('elbow', 'up', one_cell(3), one_cell(1, shape=(13, 13)), effect)
    return PartMaps('wrist', one_cell(0.1), one_cell(0.8, 4, 6), (one,) * neighbours)


IMAGE = np.full((48, 64, 3), 128, np.uint8)


def share(drawing, rows, columns, test):
    """Of the pixels of a tile (in fractions of the image) that pass a test."""
    height, width = drawing.shape[:2]
    part = drawing[int(rows[0] * height) : int(rows[1] * height), int(columns[0] * width) : int(columns[1] * width)]
    return test(*part.astype(int).transpose(2, 0, 1)).mean()


def red(r, g, b):
    return (r > g + 40) & (r > b + 40)


def blue(r, g, b):
    return (b > r + 40) & (b > g + 10)


def test_what_helps_is_red_and_what_suppresses_is_blue():
    # without the colour bar, which has both, at the right
    tile = dict(rows=(0.45, 0.8), columns=(0.66, 0.9))
    for sign, shown, absent in ((1, red, blue), (-1, blue, red)):
        drawn = draw_messages(IMAGE, maps(sign * one_cell(2)))
        assert drawn.dtype == np.uint8
        assert 0.005 < share(drawn, test=shown, **tile) < 0.1, 'one cell of 48'
        assert share(drawn, test=absent, **tile) == 0


def test_the_score_without_a_message_takes_the_place_of_its_kernel():
    bright = PartMaps('wrist', one_cell(0.1), one_cell(0.8, 4, 6), ())
    empty, full = (
        draw_messages(IMAGE, bright._replace(neighbours=(NeighbourMaps('elbow', 'up', one_cell(3), None, effect, v),)))
        for effect, v in ((one_cell(0.8), one_cell(0)), (one_cell(0.8), np.full(SHAPE, 0.8, np.float32)))
    )
    rows, columns = np.nonzero((empty != full).any(axis=2))
    # in the middle tile of the second row alone
    assert rows.min() > 0.4 * empty.shape[0] and 0.3 * empty.shape[1] < columns.min()
    assert columns.max() < 0.7 * empty.shape[1] and len(rows) > 5000


def test_a_row_for_each_neighbour_and_marks_of_the_truth():
    none, one = (draw_messages(IMAGE, maps(one_cell(1), n)) for n in (0, 1))
    assert one.shape[0] - none.shape[0] >= 300
    marked = draw_messages(IMAGE, maps(one_cell(1), 0), np.array([60.0, 4.0]))
    rows, columns = np.nonzero((none != marked).any(axis=2))
    # the mark and its line in the legend, both in the first tile
    assert len(rows) and columns.max() < marked.shape[1] * 0.34


def test_scores_before_and_after_share_a_scale():
    """A tenth is dark where the other map has eight tenths, and bright where that has less."""

    def bright(after):
        drawn = draw_messages(IMAGE, PartMaps('wrist', one_cell(0.1), one_cell(after, 4, 6), ()))
        # without title and colour bar
        return share(drawn, (0.25, 0.75), (0.36, 0.53), lambda r, g, b: r + g + b > 480)

    assert bright(0.8) == 0
    assert 0.005 < bright(0.01) < 0.1, 'one cell of 48'


@pytest.mark.parametrize('direction', ['both', 'none'])
def test_maps_of_a_part_are_those_of_the_trace(direction):
    from mmpose.registry import MODELS

    torch.manual_seed(0)
    tree = build_tree(dict(names=['body', 'arm', 'hand'], parents=[-1, 0, 1]))
    neck = MODELS.build(
        dict(type='TreeMessagePassing', in_channels=4, tree=tree, part_channels=2, direction=direction)
    ).eval()
    head = MODELS.build(dict(type='PartScoreHead', in_channels=12, tree=tree, background='plain')).eval()
    with torch.no_grad():
        trace = tracing.trace_messages(neck, (torch.randn(2, 4, 8, 9),))
        found = part_maps(neck, head, trace, 1, image=1)
        after = tracing.part_probability(head, trace, 1)[1].numpy()
        before = tracing.part_probability(head, trace, 1, with_messages=False)[1].numpy()
    assert found.name == 'arm'
    np.testing.assert_allclose(found.after, after)
    np.testing.assert_allclose(found.before, before)
    if direction == 'none':
        assert found.neighbours == ()
        np.testing.assert_allclose(after, before)
        return
    assert [(n.name, n.direction) for n in found.neighbours] == [('hand', 'up'), ('body', 'down')]
    with torch.no_grad():
        for n, sender in zip(found.neighbours, (2, 0), strict=True):
            np.testing.assert_allclose(n.effect, tracing.message_effect(head, trace, sender, 1)[1].numpy())
            np.testing.assert_allclose(n.score, tracing.evidence(head, trace, sender, n.direction)[1].numpy())
            np.testing.assert_allclose(n.kernel, tracing.effective_kernel(neck, head, sender, 1).numpy())
