"""Values are refused with their key, the value and what is allowed."""

import math
from functools import partial

import numpy as np
import pytest

from posestructs.utils import checks


def refuse(message, check, value, *args, **kwargs):
    with pytest.raises(ValueError) as error:
        check('Net.a', value, *args, **kwargs)
    assert str(error.value) == f'Net.a={value!r}, allowed: {message}'


def test_flags_are_bools_only():
    assert checks.check_bool('a', False) is False
    for value in (1, None, 'True', np.bool_(True)):
        refuse('True, False', checks.check_bool, value)


def test_choices_are_compared_by_value_and_type():
    assert checks.check_choice('a', None, ('x', None)) is None
    assert checks.check_choice('a', True, (1, True)) is True
    for value in (True, [1], np.ones(2), 'one', None):
        refuse("1, 'x'", checks.check_choice, value, (1, 'x'))


@pytest.mark.parametrize('value', [True, 2.0, '2', None, math.nan, [2]])
def test_what_is_no_integer(value):
    assert checks.check_integer('a', np.int64(2), 0, 5) == 2
    refuse('an integer from 0 to 5', checks.check_integer, value, 0, 5)
    assert not checks.is_integer(value) and checks.is_integer(np.int64(2))


def test_bounds_are_put_into_words():
    for value, message, bounds in (
        (6, 'an integer from 0 to 5', (0, 5)),
        (0, 'an integer of at least 1', (1,)),
        (2, 'an integer of at most 1', (None, 1)),
        ('x', 'an integer', ()),
    ):
        refuse(message, checks.check_integer, value, *bounds)
    for value, message, bounds in (
        (1.5, 'a number from 0 to 1', dict(low=0, high=1)),
        (0, 'a finite number above 0', dict(above=0)),
        (-0.1, 'a finite number of at least 0', dict(low=0)),
        (1, 'a number of at least 0 and below 1', dict(low=0, below=1)),
        (0, 'a number above 0 and at most 1', dict(above=0, high=1)),
        (3, 'a finite number of at most 2', dict(high=2)),
        (2, 'a finite number below 2', dict(below=2)),
    ):
        refuse(message, checks.check_number, value, **bounds)


@pytest.mark.parametrize('value', [True, '0.5', None, math.nan, math.inf, -math.inf, 1j])
def test_what_is_no_finite_number(value):
    assert [checks.check_number('a', x) for x in (3, 0.5, np.float32(0.25))] == [3, 0.5, 0.25]
    refuse('a finite number', checks.check_number, value)
    assert not checks.is_number(value) and not checks.is_integer(value)


def test_none_where_it_is_optional():
    assert checks.check_integer('a', None, 1, optional=True) is None
    assert checks.check_number('a', None, above=0, optional=True) is None
    refuse('an integer of at least 1, or None', checks.check_integer, 0, 1, optional=True)
    refuse('a finite number above 0, or None', checks.check_number, 0, above=0, optional=True)


def test_items_of_sequences_are_named():
    whole = partial(checks.check_integer, low=1)
    assert checks.check_sequence('a', [1, 2, 3], whole) == (1, 2, 3)
    assert checks.check_sequence('a', [], length=0) == ()
    with pytest.raises(ValueError, match=r'^a\[1\]=0, allowed: an integer of at least 1$'):
        checks.check_sequence('a', (4, 0), whole)
    for value in ('abc', 5, None, dict(b=1), []):
        refuse('a list of at least one item', checks.check_sequence, value)
    refuse('a list of 2 items', checks.check_sequence, (1, 2, 3), whole, 2)


def test_sizes():
    assert checks.check_size('a', [64, np.int64(48)]) == (64, 48)
    for value in (64, (64,), (64, 0), (64, 48.0), (True, 2), None, '64'):
        refuse('(width, height), two integers of at least 1', checks.check_size, value)


def test_ranges():
    assert checks.check_range('a', 2, 1, 3, integer=True) == (2, 2)
    assert checks.check_range('a', [0.1, 0.3], 0, 1) == (0.1, 0.3)
    refuse('a pair (least, greatest) in this order', checks.check_range, [0.3, 0.1], 0, 1)
    refuse('one number or a pair (least, greatest)', checks.check_range, (1, 2, 3), 0, 5)
    for value in ('12', (0, 9), None):
        with pytest.raises(ValueError, match='^a=.*allowed: a number from 0 to 5$'):
            checks.check_range('a', value, 0, 5)


def test_pairs_of_indices():
    pairs = partial(checks.check_pairs, 'a')
    assert pairs([]) == []
    assert pairs([(0, 1), [2, 3]]) == pairs(np.array([[0, 1], [2, 3]])) == [(0, 1), (2, 3)]
    for value in ([(0, 1, 2)], [1, 2], 5, [(0, -1)], [(0, 1.0)], [(0, True)], ['ab'], [(0, 1), (2,)], {0: 1}):
        refuse('a list of pairs of joint indices', checks.check_pairs, value)


def test_weights_of_names():
    allowed = ('x', 'y', 'z')
    assert checks.check_weights('a', 'x', allowed) == dict(x=1)
    assert checks.check_weights('a', ['x', 'y'], allowed) == dict(x=0.5, y=0.5)
    assert checks.check_weights('a', dict(x=1, y=3, z=0), allowed) == dict(x=0.25, y=0.75)
    refuse("the names 'x', 'y', 'z'", checks.check_weights, ['w'], allowed)
    for weight in (-1, math.inf, True):
        with pytest.raises(ValueError, match=rf"a\['x'\]={weight}, allowed: a finite number of at least 0"):
            checks.check_weights('a', dict(x=weight, y=2), allowed)
    for value in (5, None, [5], [['x']], {1: 2}):
        refuse("a name, a list of names or a dict of weights, of 'x', 'y', 'z'", checks.check_weights, value, allowed)
    for nothing in ({}, [], dict(x=0)):
        refuse("at least one of 'x', 'y', 'z' with a weight above 0", checks.check_weights, nothing, allowed)


def test_keys():
    assert checks.check_keys('a', dict(x=1), ('x', 'y'), ('x',)) == dict(x=1)
    refuse("a dict with the keys 'x', 'y'", checks.check_keys, ['x'], ('x', 'y'))
    with pytest.raises(ValueError, match="^a: unknown keys 'z', allowed: 'x', 'y'$"):
        checks.check_keys('a', dict(x=1, z=2), ('x', 'y'))
    with pytest.raises(ValueError, match="^a: missing keys 'y', required: 'x', 'y'$"):
        checks.check_keys('a', dict(x=1), ('x', 'y'), ('x', 'y'))
