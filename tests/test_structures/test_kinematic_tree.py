import copy
import logging
import pickle

import numpy as np
import pytest
from mmengine.logging import MMLogger

from posestructs.structures import KinematicTree, build_tree, kinematic_tree

# a cross: a trunk of two, an arm a side, the left one with a hand; the hand's midpoint is virtual
NAMES = ('neck', 'hip', 'left_arm', 'right_arm', 'left_mid', 'right_mid', 'left_hand', 'right_hand')
PARENTS = ('hip', None, 'neck', 'neck', 'left_arm', 'right_arm', 'left_mid', 'right_mid')
PAIRS = [('left_arm', 'right_arm'), ('left_mid', 'right_mid'), ('left_hand', 'right_hand')]
JOINTS = ('right_hand', 'right_arm', 'left_arm', 'left_hand', 'neck', 'hip')
WEIGHTS = {f'{s}_mid': {f'{s}_arm': 0.25, f'{s}_hand': 0.75} for s in ('left', 'right')}


def cross(**changes):
    values = dict(names=NAMES, parents=PARENTS, mirror=PAIRS, joints=JOINTS, weights=WEIGHTS) | changes
    return KinematicTree.from_parents(**values)


def test_what_follows_from_names_parents_and_mirror():
    tree = cross()
    assert tree.parents == (1, -1, 0, 0, 2, 3, 4, 5)
    assert tree.root == 1 and tree.num_parts == 8 and tree.num_joints == 6
    assert tree.mirror == (0, 1, 3, 2, 5, 4, 7, 6)
    assert tree.children == ((2, 3), (0,), (4,), (5,), (6,), (7,), (), ())
    assert tree.edges == ((0, 1), (2, 0), (3, 0), (4, 2), (5, 3), (6, 4), (7, 5))
    assert tree.levels == ((1,), (0,), (2, 3), (4, 5), (6, 7))
    assert tree.depth == (1, 0, 2, 2, 3, 3, 4, 4)
    assert tree.joint_parts == (7, 3, 2, 6, 0, 1)
    assert tree.symmetric and not tree.asymmetries
    expected = np.zeros((8, 6))
    for part, joint, weight in [(0, 4, 1), (1, 5, 1), (2, 2, 1), (3, 1, 1), (6, 3, 1), (7, 0, 1)]:
        expected[part, joint] = weight
    expected[4, [2, 3]] = expected[5, [1, 0]] = 0.25, 0.75
    np.testing.assert_array_equal(tree.weights, expected)


def test_every_way_to_write_it_gives_the_same_tree():
    tree = cross()
    same = [
        cross(parents=tree.parents),
        cross(parents=np.array(tree.parents)),
        cross(mirror=dict(PAIRS)),
        cross(mirror=dict(PAIRS) | {b: a for a, b in PAIRS} | {'neck': 'neck'}),
        cross(mirror=tree.mirror),
        cross(weights=tree.weights),
        KinematicTree(tree.names, tree.parents, tree.mirror, tree.joints, tree.weights),
        pickle.loads(pickle.dumps(tree)),
        copy.deepcopy(tree),
    ]
    for other in same:
        assert other == tree and hash(other) == hash(tree) and other.fingerprint == tree.fingerprint
        assert type(other.parents[0]) is int and not other.weights.flags.writeable
    others = [
        cross(names=('nose', *NAMES[1:]), joints=(*JOINTS[:4], 'nose', 'hip'), parents=tree.parents),
        cross(parents=(1, -1, 1, 1, 2, 3, 4, 5)),
        cross(mirror=PAIRS[:1]),
        cross(joints=JOINTS[::-1]),
        cross(weights={f'{s}_mid': {f'{s}_arm': 0.5, f'{s}_hand': 0.5} for s in ('left', 'right')}),
    ]
    assert len({tree.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert tree != others[0] and tree != 'tree'


def test_joints_are_all_real_parts_by_default():
    assert cross(joints=None).joints == ('neck', 'hip', 'left_arm', 'right_arm', 'left_hand', 'right_hand')
    chain = KinematicTree.from_parents(['a', 'b'], [None, 'a'])
    assert chain.joints == ('a', 'b') and chain.mirror == (0, 1) and (chain.weights == np.eye(2)).all()
    one = KinematicTree.from_parents(['a'], [-1])
    assert one.levels == ((0,),) and one.edges == ()


def test_the_fingerprint_never_changes():
    # files of mixture types are bound to it
    assert build_tree(dict(from_file='lsp-26.py')).fingerprint == '937990ed6ead6ff3'


def test_it_cannot_be_changed():
    tree = cross()
    with pytest.raises(AttributeError):
        tree.parents = ()
    with pytest.raises(ValueError, match='read-only'):
        tree.weights[0, 0] = 2
    weights = np.array(tree.weights)
    other = cross(weights=weights)
    weights[:] = 0
    assert other == tree


def test_part_positions_against_a_loop():
    tree, rng = cross(), np.random.default_rng(0)
    keypoints = rng.normal(size=(3, 5, 6, 2)) * 100
    visible = rng.uniform(size=(3, 5, 6)) < 0.7
    keypoints[~visible] = np.nan  # junk must not leak
    positions, labelled = tree.part_positions(keypoints, visible.astype(np.float32))
    assert positions.dtype == np.float64 and labelled.dtype == bool
    for person in np.ndindex(3, 5):
        for v, name in enumerate(tree.names):
            made_of = WEIGHTS.get(name, {name: 1})
            if all(visible[person][JOINTS.index(joint)] for joint in made_of):
                point = sum(w * keypoints[person][JOINTS.index(joint)] for joint, w in made_of.items())
                np.testing.assert_allclose(positions[person][v], point, rtol=1e-12)
                assert labelled[person][v]
            else:
                assert not labelled[person][v] and (positions[person][v] == 0).all()
    assert 0.3 < labelled.mean() < 0.8
    # joints come back exactly, in mmpose's float32 too
    single = np.where(visible[..., None], keypoints, 0).astype(np.float32)
    positions, _ = tree.part_positions(single)
    assert positions.dtype == np.float32
    np.testing.assert_array_equal(positions[..., tree.joint_parts, :], single)


def test_part_positions_refuses_other_joints():
    with pytest.raises(ValueError, match=r'keypoints.shape=\(14, 2\).*6 joints of the tree: \(..., 6, 2\)'):
        cross().part_positions(np.zeros((14, 2)))
    with pytest.raises(ValueError, match=r'keypoints.shape=\(1, 6, 2\) and visible.shape=\(6,\)'):
        cross().part_positions(np.zeros((1, 6, 2)), np.ones(6))


def test_a_mirror_that_does_not_fit_the_parents_is_refused():
    tree = cross(parents=('hip', None, 'neck', 'hip', 'left_arm', 'right_arm', 'left_mid', 'right_mid'))
    assert not tree.symmetric and tree.asymmetries == ('left_arm', 'right_arm')
    assert not cross(mirror=[('hip', 'neck')]).symmetric  # a root that is not on the axis
    tree = cross(weights=WEIGHTS | {'left_mid': {'left_arm': 0.5, 'left_hand': 0.5}})
    assert tree.asymmetries == ('left_mid', 'right_mid')
    assert cross(mirror=[]).mirror == tuple(range(8))


# -- from the skeleton of a data set -----------------------------------------------------------------------------------


@pytest.fixture
def log_lines():
    kinematic_tree._log_once.cache_clear()
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = MMLogger.get_current_instance(), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)  # another test of this process may have left a quieter one
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_left_out_links_are_reported_once(log_lines):
    tree = KinematicTree.from_metainfo(dict(from_file='coco.py'))
    assert len(log_lines) == 1 and '3 of 19 links of the skeleton are not in the tree from nose' in log_lines[0]
    kept = {frozenset(edge) for edge in tree.edges}
    pairs = [pair.split(' - ') for pair in log_lines[0].rpartition(': ')[2].split(', ')]
    assert len(pairs) == 3
    assert not kept & {frozenset(tree.names.index(end) for end in pair) for pair in pairs}
    # each of neck, head and codec builds the tree
    assert KinematicTree.from_metainfo(dict(from_file='coco.py')) == tree and len(log_lines) == 1
    # there is nothing to tell of a skeleton that is a tree
    assert KinematicTree.from_metainfo(dict(from_file='lsp.py')).num_parts == 14 and len(log_lines) == 1
