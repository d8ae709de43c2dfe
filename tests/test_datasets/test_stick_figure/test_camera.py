"""The view: weak perspective, fitted."""

import pytest

from posestructs.datasets.stick_figure.camera import View, fit_view
from posestructs.datasets.stick_figure.exact import RandomStream

POINTS = {'waist': (0.0, 0.0, 0.0), 'head': (0.1, -0.5, 0.2), 'foot': (-0.3, 0.5, -0.2)}


def test_near_things_are_larger():
    view = View(distance=4.0, pixels=100.0, offset=(50.0, 60.0))
    assert view.project((0.0, 0.0, 0.0)) == (50.0, 60.0, 100.0)
    assert view.project((1.0, -0.5, 0.0)) == (150.0, 10.0, 100.0)
    assert view.project((1.0, 0.0, 1.0)) == pytest.approx((50 + 80, 60, 80))  # 4 / (4 + 1)
    assert view.project((1.0, 0.0, -1.0)) == pytest.approx((50 + 400 / 3, 60, 400 / 3))


def test_people_lie_within_the_canvas_and_span_what_is_asked_for():
    rng = RandomStream(0, (0,))
    for size in ((256, 256), (100, 300), (300, 100)):
        for _ in range(50):
            view = fit_view(rng, POINTS, size, (0.8, 0.8), crop_prob=0.0)
            xs, ys, scales = zip(*(view.project(point) for point in POINTS.values()), strict=True)
            margin = 0.05 * min(scales)
            for values, extent in ((xs, size[0]), (ys, size[1])):
                assert min(values) - margin > -0.5 and max(values) + margin < extent - 0.5
            spans = ((max(v) - min(v) + 0.11 * view.pixels) / extent for v, extent in ((xs, size[0]), (ys, size[1])))
            assert max(spans) == pytest.approx(0.8, abs=1e-6)


def test_a_close_view_keeps_the_waist():
    rng = RandomStream(0, (1,))
    outside = 0
    for _ in range(300):
        view = fit_view(rng, POINTS, (200, 200), (0.9, 1.0), crop_prob=1.0)
        x, y, _ = view.project(POINTS['waist'])
        assert 20 <= x <= 180 and 20 <= y <= 180
        outside += any(not 0 <= v < 200 for p in POINTS.values() for v in view.project(p)[:2])
    assert outside > 50


def test_the_place_is_drawn():
    rng = RandomStream(0, (2,))
    places = [fit_view(rng, POINTS, (200, 200), (0.5, 0.6), 0.0).offset[0] for _ in range(200)]
    assert max(places) - min(places) > 60
