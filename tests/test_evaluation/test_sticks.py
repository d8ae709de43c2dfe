import pytest

from posestructs.evaluation.sticks import check_sticks, find_sticks

IDS = {'a': 0, 'b': 1, 'c': 2}


def test_ends_become_indices():
    sticks = [dict(name='s', side='left', ends=('a', 'b')), dict(name='t', ends=[['a', 'c'], 'b'])]
    found = find_sticks(sticks, IDS, 'M')
    assert found == [('s', 'left', ((0,), (1,))), ('t', None, ((0, 2), (1,)))]


def test_lsp_has_ten_and_they_are_the_papers(lsp_meta):
    found = find_sticks(lsp_meta['sticks'], lsp_meta['keypoint_name2id'], 'M')
    assert {(s.name, frozenset(map(frozenset, s.ends))) for s in found} == {
        (name, frozenset((frozenset(a), frozenset(b))))
        for name, a, b in [
            ('head', {12}, {13}), ('torso', {8, 9}, {2, 3}), ('upper_arm', {8}, {7}), ('upper_arm', {9}, {10}),
            ('lower_arm', {7}, {6}), ('lower_arm', {10}, {11}), ('upper_leg', {2}, {1}), ('upper_leg', {3}, {4}),
            ('lower_leg', {1}, {0}), ('lower_leg', {4}, {5}),
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ('sticks', 'message'),
    [
        ([], 'M.sticks=.*, allowed: a list of dicts, at least one'),
        (dict(name='s'), 'M.sticks=.*, allowed: a list of dicts, at least one'),
        (['s'], r"M.sticks\[0\]='s', allowed: dict\(name=str, side='left'\|'right'\|None"),
        ([dict(name='s', ends=('a',))], r'M.sticks\[0\]=.*, allowed: dict\(name=str'),
        ([dict(name='s', ends='ab')], r'M.sticks\[0\]=.*, allowed: dict\(name=str'),
        ([dict(name='s', ends=('a', ()))], r'M.sticks\[0\]=.*, allowed: dict\(name=str'),
        ([dict(name='s', ends=('a', 'a'))], 'A not B'),
        ([dict(name='s', side='middle', ends=('a', 'b'))], r"M.sticks\[0\]={'name': 's', 'side': 'middle'"),
        ([dict(ends=('a', 'b'))], r'M.sticks\[0\]=.*, allowed: dict\(name=str'),
        ([dict(name='people', ends=('a', 'b'))], "M: sticks has a group 'people'"),
        ([dict(name='s', ends=('a', 'b')), dict(name='s', ends=('a', 'c'))], 'a name and side of its own'),
    ],
)
def test_malformed_sticks(sticks, message):
    with pytest.raises(ValueError, match=message):
        check_sticks(sticks, 'M')


def test_unknown_joints_are_named():
    with pytest.raises(ValueError, match=r"M: stick 's' names \['z'\], which the data set does not have"):
        find_sticks([dict(name='s', ends=('a', ['b', 'z']))], IDS, 'M')
