"""Shapes against the distance formulas of what they should be."""

import numpy as np
import pytest

from posestructs.datasets.stick_figure.sketch import PATTERN_BIT, Sketch, capsule_outlines


def painted(draw, size=(90, 110)):
    sketch, canvas = Sketch(), np.zeros(size, np.uint8)
    draw(sketch)
    sketch.paint(canvas)
    return canvas


def distance_to_hull_of_circles(size, a, b):
    """Signed distance of every pixel to the hull of two circles: the least over the circles in between."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    shares = np.linspace(0, 1, 400)
    nearest = np.full(size, np.inf)
    for t in shares:
        cx, cy, r = ((1 - t) * u + t * v for u, v in zip(a, b, strict=True))
        nearest = np.minimum(nearest, np.hypot(x - cx, y - cy) - r)
    return nearest


@pytest.mark.parametrize('seed', range(12))
def test_a_capsule_is_the_hull_of_its_circles(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform((10, 10, 1), (100, 80, 14)), rng.uniform((10, 10, 1), (100, 80, 14))
    canvas = painted(lambda sketch: sketch.capsule(5, tuple(a), tuple(b)))
    gap = distance_to_hull_of_circles(canvas.shape, a, b)
    # chords of an arc of 8 lie at most r * (1 - cos(180 / 16 deg)) = 0.02 r inside; OpenCV widens by half a pixel
    assert (canvas[gap < -1.0] == 5).all()
    assert (canvas[gap > 1.2] == 0).all()


@pytest.mark.parametrize(
    ('a', 'b'),
    [
        ((40, 40, 12), (40, 40, 12)),
        ((40, 40, 12), (40, 40, 3)),
        ((40, 40, 3), (44, 41, 12)),
        ((40, 40, 12), (49, 40, 3)),  # touches from inside
        ((40, 40, 12), (49.01, 40, 3)),
    ],
)
def test_a_swallowed_circle_leaves_the_larger_one(a, b):
    canvas = painted(lambda sketch: sketch.capsule(9, a, b))
    gap = distance_to_hull_of_circles(canvas.shape, a, b)
    assert (canvas[gap < -1.0] == 9).all() and (canvas[gap > 1.2] == 0).all()


def test_outlines_are_convex_and_go_round_once():
    rng = np.random.default_rng(1)
    capsules = rng.uniform(0, 50, (500, 6))
    points = capsule_outlines(capsules)
    edges = np.roll(points, -1, axis=1) - points
    edges = edges[np.abs(edges).sum(axis=2).min(axis=1) > 1e-9]  # a swallowed circle doubles two corners
    assert len(edges) > 300
    following = np.roll(edges, -1, axis=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]
    assert (turns.max(axis=1) * turns.min(axis=1) > -1e-6).all()  # never both ways
    angles = np.arctan2(turns, (edges * following).sum(-1)).sum(axis=1)
    np.testing.assert_allclose(np.abs(angles), 2 * np.pi, atol=1e-6)


def test_hulls_and_boxes():
    canvas = painted(lambda sketch: sketch.hull(3, [(20, 20, 5), (70, 30, 8), (40, 70, 3)]))
    pairs = [((20, 20, 5), (70, 30, 8)), ((70, 30, 8), (40, 70, 3)), ((40, 70, 3), (20, 20, 5))]
    inside = np.min([distance_to_hull_of_circles(canvas.shape, *pair) for pair in pairs], axis=0)
    assert (canvas[inside < -1] == 3).all() and canvas[40, 43] == 3 and canvas[60, 70] == 0
    box = painted(lambda sketch: sketch.box(4, 50, 40, 20, 10))
    assert (box[31:49, 31:69] == 4).all() and not box[:29].any() and not box[:, :29].any()
    turned = painted(lambda sketch: sketch.box(4, 50, 40, 20, 10, 90))
    assert (turned[21:59, 41:59] == 4).all() and not turned[:, :39].any()


def test_later_shapes_cover_earlier_ones_and_know_their_owner():
    sketch, canvas = Sketch(), np.zeros((40, 40), np.uint8)
    far = sketch.colour(7, (1, 2, 3))
    near = sketch.colour(9, (4, 5, 6), (7, 8, 9))
    assert sketch.colour(7, (1, 2, 3)) == far != near
    sketch.capsule(far, (15, 15, 10), (15, 15, 10))
    sketch.capsule(near, (20, 15, 5), (20, 15, 5))
    sketch.paint(canvas)
    owners, palette = sketch.owners(), sketch.palette()
    assert owners[canvas[15, 20]] == 9 and owners[canvas[15, 10]] == 7 and owners[canvas[35, 35]] == 0
    assert palette[near, 0].tolist() == [4, 5, 6] and palette[near | PATTERN_BIT, 0].tolist() == [7, 8, 9]
    assert palette[far | PATTERN_BIT, 0].tolist() == [1, 2, 3] and owners[far | PATTERN_BIT] == 7


def test_shapes_far_outside_do_no_harm():
    canvas = painted(lambda sketch: sketch.capsule(2, (-1e7, 40, 5), (1e7, 40, 5)))
    assert (canvas[38:43] == 2).all() and not canvas[:30].any()


def test_there_are_127_colours():
    sketch = Sketch()
    for number in range(127):
        sketch.colour(1, (number, 0, 0))
    with pytest.raises(ValueError, match='127 colours'):
        sketch.colour(1, (200, 0, 0))
