"""Errors of a tree, and names converted to indices."""

import numpy as np
import pytest

from posestructs.structures import KinematicTree, tree_checks

# a cross: a trunk of two, an arm a side, the left one with a hand; the hand's midpoint is virtual
NAMES = ('neck', 'hip', 'left_arm', 'right_arm', 'left_mid', 'right_mid', 'left_hand', 'right_hand')
PARENTS = ('hip', None, 'neck', 'neck', 'left_arm', 'right_arm', 'left_mid', 'right_mid')
PAIRS = [('left_arm', 'right_arm'), ('left_mid', 'right_mid'), ('left_hand', 'right_hand')]
JOINTS = ('right_hand', 'right_arm', 'left_arm', 'left_hand', 'neck', 'hip')
WEIGHTS = {f'{s}_mid': {f'{s}_arm': 0.25, f'{s}_hand': 0.75} for s in ('left', 'right')}


def cross(**changes):
    values = dict(names=NAMES, parents=PARENTS, mirror=PAIRS, joints=JOINTS, weights=WEIGHTS) | changes
    return KinematicTree.from_parents(**values)


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        # parents
        (dict(parents=('hip', 'neck', *PARENTS[2:])), ValueError, 'no root, and .*cycle: neck -> hip -> neck'),
        (
            dict(parents=('hip', None, 'left_mid', 'neck', 'left_arm', 'right_arm', 'left_mid', 'right_mid')),
            ValueError,
            r"cycle: left_arm -> left_mid -> left_arm; unreachable from the root because of it: \['left_hand'\]",
        ),
        (dict(parents=('neck', *PARENTS[1:])), ValueError, 'cycle: neck -> neck; unreachable'),
        (dict(parents=(None, *PARENTS[1:])), ValueError, r"parents has 2 roots .*: \['neck', 'hip'\], allowed: one"),
        (
            dict(parents=(*PARENTS[:-1], 'wing')),
            ValueError,
            "parent of 'right_hand': 'wing' is not a part, the",
        ),
        (dict(parents=PARENTS[:-1]), ValueError, 'parents has 7 entries, allowed: 8'),
        (dict(parents=(*PARENTS, 'neck')), ValueError, 'parents has 9 entries, allowed: 8'),
        (dict(parents=(*PARENTS[:-1], 8)), ValueError, "parent of 'right_hand' is 8, allowed: -1 to 7"),
        (dict(parents=(*PARENTS[:-1], -2)), ValueError, "parent of 'right_hand' is -2, allowed: -1 to 7"),
        (
            dict(parents=(*PARENTS[:-1], 1.5)),
            TypeError,
            "'right_hand' is 1.5, allowed: a name, None or an",
        ),
        (dict(parents='neck'), TypeError, "parents='neck', allowed: a list"),
        # names
        (dict(names=('hip', *NAMES[1:])), ValueError, r"each once, \['hip'\] occur twice"),
        (dict(names=()), ValueError, r'names=\[\], allowed: at least one name'),
        (dict(names='neck'), TypeError, "names='neck', allowed: a list of names"),
        (dict(joints=(*JOINTS, 'neck')), ValueError, r"joints=.*\['neck'\] occur twice"),
        (dict(joints=(*JOINTS, 'tail')), ValueError, "'tail' is not a part"),
        (dict(joints=JOINTS[1:]), ValueError, "'right_hand' is not a joint"),
        # mirror
        (
            dict(mirror=[*PAIRS, ('left_arm', 'right_mid')]),
            ValueError,
            "mirror pairs 'left_arm' with both 'right_arm' and 'right_mid'",
        ),
        (
            dict(mirror=(0, 1, 3, 4, 2, 5, 6, 7)),
            ValueError,
            "the mirror image of 'left_arm' is 'right_arm', whose own",
        ),
        (dict(mirror=[('left_arm', 'wing')]), ValueError, "mirror: 'wing' is not a part"),
        (dict(mirror=[('left_arm',)]), TypeError, 'mirror holds .*, allowed: pairs of names'),
        (dict(mirror=['left_arm', 'right_arm']), TypeError, 'mirror holds .*, allowed: pairs of names'),
        (dict(mirror=(0, 1)), ValueError, 'mirror has 2 entries, allowed: 8'),
        (dict(mirror=(0, 1, 2, 3, 4, 5, 6, 9)), ValueError, "mirror image of 'right_hand' is 9, allowed: 0 to 7"),
        # weights
        (
            dict(weights=WEIGHTS | {'left_mid': {'left_arm': 0.5, 'left_hand': 0.4}}),
            ValueError,
            'sum to 0.9, all',
        ),
        (dict(weights=WEIGHTS | {'left_mid': {'tail': 1}}), ValueError, "weights of 'left_mid': 'tail' is not a joint"),
        (dict(weights=WEIGHTS | {'wing': {'neck': 1}}), ValueError, "weights: 'wing' is not a part"),
        (dict(weights=WEIGHTS | {'neck': {'hip': 1}}), ValueError, "'neck' is a joint and cannot be made of others"),
        (dict(weights=WEIGHTS | {'left_mid': {'hip': '1'}}), TypeError, "weight of 'hip' is '1', allowed: a finite"),
        (dict(weights=WEIGHTS | {'left_mid': 'hip'}), TypeError, "weights of 'left_mid' are 'hip', allowed: a dict"),
        (dict(weights={}), ValueError, "'left_mid' is neither one of the joints"),
        (
            dict(weights=np.full((8, 6), 1 / 6)),
            ValueError,
            "weights of the joint 'right_hand' are .*allowed: 1 for itself, 0",
        ),
        (
            dict(weights=np.eye(8)),
            ValueError,
            r'weights is float64 of shape \(8, 8\), .* = \(8, 6\)',
        ),
        (dict(weights=np.full((8, 6), np.nan)), ValueError, 'allowed: finite numbers'),
    ],
)
def test_what_is_no_tree_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        cross(**changes)


def test_names_become_numbers():
    index = {name: i for i, name in enumerate(NAMES)}
    assert tree_checks.parent_indices(NAMES, PARENTS, index) == (1, -1, 0, 0, 2, 3, 4, 5)
    # what is too long or short is left for check_parents to tell of
    assert tree_checks.parent_indices(NAMES, [None], index) == (-1,)
    assert tree_checks.mirror_indices(NAMES, None, index) == tuple(range(8))
    assert tree_checks.mirror_indices(NAMES, PAIRS[:1], index) == (0, 1, 3, 2, 4, 5, 6, 7)
    matrix = tree_checks.weight_matrix(('a', 'm', 'b'), ('b', 'a'), {'m': {'a': 0.25, 'b': 0.75}})
    np.testing.assert_array_equal(matrix, [[0, 1], [0.75, 0.25], [1, 0]])
    assert tree_checks.known('hip', index, 'here') == 1


def test_a_name_of_another_type_is_unknown():
    with pytest.raises(ValueError, match="here: 3 is not a joint, the joints are .'a'."):
        tree_checks.known(3, {'a': 0}, 'here', 'joint')
    with pytest.raises(ValueError, match='here: .* is not a part'):
        tree_checks.known(['a'], {'a': 0}, 'here')
