"""Arguments are refused with their name, their value and what is allowed."""

from numbers import Integral

import numpy as np
import pytest

from posestructs.datasets.transforms.config_checks import check_number, check_pairs, check_range, check_weights


def test_numbers():
    assert check_number('a', 0.5, 0, 1) == 0.5
    assert check_number('a', np.int64(3), 0, 5, Integral) == 3
    for value, kind in ((1.5, Integral), (True, Integral), ('1', Integral), (None, Integral), (6, Integral)):
        with pytest.raises(ValueError, match=rf'^a={value!r}, allowed: an integer from 0 to 5$'):
            check_number('a', value, 0, 5, kind)
    with pytest.raises(ValueError, match='^a=nan, allowed: a number from 0 to 5$'):
        check_number('a', float('nan'), 0, 5)


def test_ranges():
    assert check_range('a', 2, 1, 3, Integral) == (2, 2)
    assert check_range('a', [0.1, 0.3], 0, 1) == (0.1, 0.3)
    with pytest.raises(ValueError, match=r'a=\[0.3, 0.1\], allowed: a pair \(least, greatest\) in this order'):
        check_range('a', [0.3, 0.1], 0, 1)
    with pytest.raises(ValueError, match=r'a=\(1, 2, 3\), allowed: one number or a pair'):
        check_range('a', (1, 2, 3), 0, 5)
    for value in ('12', (0, 9), None):
        with pytest.raises(ValueError, match='^a=.*allowed: a number from 0 to 5'):
            check_range('a', value, 0, 5)


def test_weights():
    allowed = ('x', 'y', 'z')
    assert check_weights('a', 'x', allowed) == dict(x=1)
    assert check_weights('a', ['x', 'y'], allowed) == dict(x=0.5, y=0.5)
    assert check_weights('a', dict(x=1, y=3, z=0), allowed) == dict(x=0.25, y=0.75)
    with pytest.raises(ValueError, match=r"a=\['w'\], allowed names: \('x', 'y', 'z'\)"):
        check_weights('a', ['w'], allowed)
    with pytest.raises(ValueError, match=r"a\['x'\]=-1, allowed: a number from 0"):
        check_weights('a', dict(x=-1, y=2), allowed)
    for value in (5, None, [5], [['x']], {1: 2}):
        with pytest.raises(
            ValueError, match=r"^a=.*, allowed: a name, a list of names or a dict of weights, of \('x', "
        ):
            check_weights('a', value, allowed)
    for nothing in ({}, [], dict(x=0)):
        with pytest.raises(ValueError, match='at least one of'):
            check_weights('a', nothing, allowed)


def test_pairs():
    assert check_pairs('a', []) == []
    assert check_pairs('a', [(0, 1), [2, 3]]) == check_pairs('a', np.array([[0, 1], [2, 3]])) == [(0, 1), (2, 3)]
    for value in ([(0, 1, 2)], [1, 2], 5, [(0, -1)], [(0, 1.0)], [(0, True)], ['ab'], [(0, 1), (2,)]):
        with pytest.raises(ValueError, match='^a=.*, allowed: a list of pairs of joint indices$'):
            check_pairs('a', value)
