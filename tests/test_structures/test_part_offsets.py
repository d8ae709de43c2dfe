import numpy as np
import pytest

from posestructs.structures import KinematicTree, build_tree
from posestructs.structures.part_offsets import check_symmetric, reference_matrix, relative_offsets


def test_offsets_against_a_loop():
    tree, rng = build_tree(dict(from_file='lsp-26.py')), np.random.default_rng(0)
    positions, labelled = rng.normal(size=(2, 7, 26, 2)) * 50, rng.uniform(size=(2, 7, 26)) < 0.8
    positions[~labelled] = np.nan
    offsets, known = relative_offsets(tree, positions, labelled)
    for person in np.ndindex(2, 7):
        for v, parent in enumerate(tree.parents):
            origin = 1 if v == 0 else parent  # the head top's is the neck, its only child
            here = labelled[person][v] and labelled[person][origin]
            assert known[person][v] == here
            expected = positions[person][v] - positions[person][origin] if here else (0, 0)
            np.testing.assert_allclose(offsets[person][v], expected)
    assert 0.4 < known.mean() < 0.8


def origins(name):
    tree = build_tree(dict(from_file=name))
    np.testing.assert_array_equal(reference_matrix(tree).sum(axis=1), 1)
    return {tree.names[u]: w for u, w in enumerate(reference_matrix(tree)[tree.root]) if w}


def test_the_roots_reference_is_on_the_axis():
    assert origins('lsp-26.py') == {'neck': 1} and origins('flic-18.py') == {'neck': 1}
    assert origins('mpii-16.py') == {'upper_neck': 1}
    # a child on the axis comes before the first child
    tree = KinematicTree.from_parents(['a', 'l', 'r', 'b'], [None, 'a', 'a', 'a'], mirror=[('l', 'r')])
    assert reference_matrix(tree)[0].tolist() == [0, 0, 0, 1]
    # nobody but the nose is on the axis: the middle of a pair
    assert origins('coco-17.py') == {'left_eye': 0.5, 'right_eye': 0.5}
    tree = build_tree(dict(from_file='coco-17.py'))
    positions = np.zeros((17, 2))
    eyes = [tree.names.index(f'{side}_eye') for side in ('left', 'right')]
    positions[eyes] = (10, 2), (4, 4)
    positions[0] = (8, 9)
    offsets, known = relative_offsets(tree, positions, np.ones(17, bool))
    np.testing.assert_allclose(offsets[0], (1, 6))
    assert known.all()
    labelled = np.ones(17, bool)
    labelled[eyes[0]] = False
    assert not relative_offsets(tree, positions, labelled)[1][0]


def test_a_single_part_is_measured_from_itself():
    tree = KinematicTree.from_parents(['a'], [None])
    offsets, known = relative_offsets(tree, [[[3, 4]], [[5, 6]]], [[True], [False]])
    assert (offsets == 0).all() and known.tolist() == [[True], [False]]


def test_other_shapes_are_refused():
    tree = build_tree(dict(from_file='coco-17.py'))
    with pytest.raises(
        ValueError,
        match=r'=\(3, 2\) and labelled.shape=\(3,\), .* 17 parts of the tree: \(..., 17, 2\) and \(..., 17\)',
    ):
        relative_offsets(tree, np.zeros((3, 2)), np.ones(3, bool))


def test_a_lopsided_tree_is_refused():
    check_symmetric(build_tree(dict(from_file='coco-17.py')))
    names, parents = ['spine', 'left', 'right', 'tail'], [None, 'spine', 'tail', 'spine']
    tree = KinematicTree.from_parents(names, parents, mirror=[('left', 'right')])
    with pytest.raises(ValueError, match="'left' has the parent 'spine' .* mirror image 'right' has 'tail'"):
        check_symmetric(tree)
    tree = KinematicTree.from_parents(['left', 'right'], [None, 'left'], mirror=[('left', 'right')])
    with pytest.raises(ValueError, match="'left' has the parent None .* mirror image 'right' has 'left'"):
        check_symmetric(tree)
    names, parents, pairs = ['a', 'lm', 'rm', 'l', 'r'], [None, 'a', 'a', 'lm', 'rm'], [('l', 'r'), ('lm', 'rm')]
    weights = dict(lm=dict(a=0.5, l=0.5), rm=dict(a=0.25, r=0.75))
    tree = KinematicTree.from_parents(names, parents, pairs, weights=weights)
    with pytest.raises(ValueError, match="'lm' .* made of {'a': 0.5, 'l': 0.5}, .* 'rm' .* {'a': 0.25, 'r': 0.75}"):
        check_symmetric(tree)
