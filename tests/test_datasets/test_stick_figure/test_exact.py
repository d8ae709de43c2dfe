"""Draws and angles must not depend on the machine."""

import math

import numpy as np
import pytest

from posestructs.datasets.stick_figure import exact
from posestructs.datasets.stick_figure.exact import RandomStream, image_streams, rotation


def test_draws_are_those_of_the_guaranteed_bit_stream():
    stream = image_streams(5, 7, 2)[0]
    # Generator.random is written in C in another way; that both agree shows that the shift and the factor are right
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(5, spawn_key=(7,)))).random(100)
    assert [stream.unit() for _ in range(100)] == expected.tolist()


def test_draws_are_these_numbers_on_every_machine():
    first, second = image_streams(0, 0, 2)
    draws = [first.unit(), first.unit(), second.unit()]
    assert [value.hex() for value in draws] == ['0x1.e2c8b5ff9abeep-1', '0x1.43ede2f0059d4p-2', '0x1.cfa3b1e300e00p-2']


def test_a_stream_does_not_feel_what_another_draws():
    quiet, busy = image_streams(1, 2, 2), image_streams(1, 2, 2)
    for _ in range(1000):
        busy[0].unit()
    assert [quiet[1].unit() for _ in range(300)] == [busy[1].unit() for _ in range(300)]


def test_a_stream_never_repeats_itself_or_another():
    draws = [[stream.unit() for _ in range(700)] for stream in image_streams(3, 4, 6)]
    draws.append([image_streams(3, 5, 1)[0].unit() for _ in range(1)])
    flat = [value for row in draws for value in row]
    assert len(set(flat)) == len(flat)


def test_a_long_stream_stays_uniform():
    stream = RandomStream(0, (1,))
    values = np.array([stream.unit() for _ in range(20000)])
    counts = np.histogram(values, 10, (0, 1))[0]
    assert values.min() >= 0 and values.max() < 1
    assert np.abs(counts - 2000).max() < 5 * math.sqrt(2000)  # five standard deviations


def test_choices_have_their_probabilities():
    stream = RandomStream(9, (0,))
    count = 20000
    weighted = [stream.weighted('abc', (1, 2, 5)) for _ in range(count)]
    picked = [stream.pick('xyz') for _ in range(count)]
    whole = [stream.integer(4) for _ in range(count)]
    heads = sum(stream.chance(0.2) for _ in range(count))
    signs = sum(stream.sign() for _ in range(count))
    for sample, expected in ((weighted, dict(a=1 / 8, b=2 / 8, c=5 / 8)), (picked, dict(x=1 / 3, y=1 / 3, z=1 / 3))):
        for item, share in expected.items():
            assert sample.count(item) / count == pytest.approx(share, abs=0.02)
    assert {number: whole.count(number) / count for number in range(4)} == pytest.approx(
        dict.fromkeys(range(4), 0.25), abs=0.02
    )
    assert heads / count == pytest.approx(0.2, abs=0.02)
    assert abs(signs) / count < 0.03
    assert all(-3 <= stream.uniform(-3, 5) < 5 for _ in range(1000))


def test_sines_are_those_of_the_angle():
    for degrees in (0, 30, 45, 90, 123.4, 180, 270, 359.99, -30, -90, 725):
        near = round(degrees * 4096 / 360) * 2 * math.pi / 4096
        assert rotation(degrees) == pytest.approx((math.cos(near), math.sin(near)), abs=2**-21 + 1e-12)
    assert rotation(90) == (0.0, 1.0) and rotation(-180) == (-1.0, 0.0) and rotation(360) == (1.0, 0.0)


def test_no_maths_library_can_change_the_table():
    """No sine lies so near the middle of two table values that a library's error could round it to the other."""
    scaled = [math.sin(2 * math.pi * step / exact.STEPS) * exact.GRAIN for step in range(exact.STEPS)]
    margin = min(abs(value - math.floor(value) - 0.5) for value in scaled)
    error = 4 * 2.0**-53 * exact.GRAIN  # four last bits of a sine near 1, in the same unit
    assert margin > 1e4 * error
