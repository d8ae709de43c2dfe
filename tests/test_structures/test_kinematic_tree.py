import copy
import logging
import pickle
from pathlib import Path

import mmpose
import numpy as np
import pytest
from mmengine import Config
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
    with pytest.raises(ValueError, match=r'\(..., 6, 2\).*6 joints of the tree, got \(14, 2\)'):
        cross().part_positions(np.zeros((14, 2)))
    with pytest.raises(ValueError, match=r'got \(1, 6, 2\) and \(6,\)'):
        cross().part_positions(np.zeros((1, 6, 2)), np.ones(6))


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
        (dict(parents=(None, *PARENTS[1:])), ValueError, r"one root .*got 2: \['neck', 'hip'\]"),
        (dict(parents=(*PARENTS[:-1], 'wing')), ValueError, "parent of 'right_hand': 'wing' is no part, the parts are"),
        (dict(parents=PARENTS[:-1]), ValueError, 'parents has 7 entries for 8 parts'),
        (dict(parents=(*PARENTS, 'neck')), ValueError, 'parents has 9 entries for 8 parts'),
        (dict(parents=(*PARENTS[:-1], 8)), ValueError, "parent of 'right_hand' must be -1 to 7, got 8"),
        (dict(parents=(*PARENTS[:-1], -2)), ValueError, "parent of 'right_hand' must be -1 to 7, got -2"),
        (dict(parents=(*PARENTS[:-1], 1.5)), TypeError, "parent of 'right_hand' must be a name, None or a number"),
        (dict(parents='neck'), TypeError, 'parents must be a list'),
        # names
        (dict(names=('hip', *NAMES[1:])), ValueError, r"names must be .* each once, got \['hip'\] twice"),
        (dict(names=()), ValueError, 'names must be at least one name'),
        (dict(names='neck'), TypeError, 'names must be a list of names'),
        (dict(joints=(*JOINTS, 'neck')), ValueError, r"joints must be .*got \['neck'\] twice"),
        (dict(joints=(*JOINTS, 'tail')), ValueError, "'tail' is no part"),
        (dict(joints=JOINTS[1:]), ValueError, "'right_hand' is no joint"),
        # mirror
        (
            dict(mirror=[*PAIRS, ('left_arm', 'right_mid')]),
            ValueError,
            "no involution: 'left_arm' goes with 'right_arm'",
        ),
        (dict(mirror=(0, 1, 3, 4, 2, 5, 6, 7)), ValueError, "no involution: that of 'left_arm' is 'right_arm', whose"),
        (dict(mirror=[('left_arm', 'wing')]), ValueError, "mirror: 'wing' is no part"),
        (dict(mirror=[('left_arm',)]), TypeError, 'mirror must be pairs of names'),
        (dict(mirror=['left_arm', 'right_arm']), TypeError, 'mirror must be pairs of names'),
        (dict(mirror=(0, 1)), ValueError, 'mirror has 2 entries for 8 parts'),
        (dict(mirror=(0, 1, 2, 3, 4, 5, 6, 9)), ValueError, "mirror: that of 'right_hand' must be 0 to 7, got 9"),
        # weights
        (dict(weights=WEIGHTS | {'left_mid': {'left_arm': 0.5, 'left_hand': 0.4}}), ValueError, 'sum to 1, got 0.9'),
        (dict(weights=WEIGHTS | {'left_mid': {'tail': 1}}), ValueError, "weights of 'left_mid': 'tail' is no joint"),
        (dict(weights=WEIGHTS | {'wing': {'neck': 1}}), ValueError, "weights: 'wing' is no part"),
        (dict(weights=WEIGHTS | {'neck': {'hip': 1}}), ValueError, "'neck' is a joint and cannot be made of others"),
        (dict(weights=WEIGHTS | {'left_mid': {'hip': '1'}}), TypeError, "that of 'hip' must be a number, got '1'"),
        (dict(weights=WEIGHTS | {'left_mid': 'hip'}), TypeError, "weights of 'left_mid' must be a dict"),
        (dict(weights={}), ValueError, "part 'left_mid' is not one of the joints"),
        (dict(weights=np.full((8, 6), 1 / 6)), ValueError, "weights of 'right_hand' must be 1 for itself and 0"),
        (dict(weights=np.eye(8)), ValueError, r'of shape \(parts, joints\) = \(8, 6\), got float64 of shape \(8, 8\)'),
        (dict(weights=np.full((8, 6), np.nan)), ValueError, 'must be finite numbers'),
    ],
)
def test_what_is_no_tree_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        cross(**changes)


def test_a_mirror_that_does_not_fit_the_parents_is_told_of():
    tree = cross(parents=('hip', None, 'neck', 'hip', 'left_arm', 'right_arm', 'left_mid', 'right_mid'))
    assert not tree.symmetric and tree.asymmetries == ('left_arm', 'right_arm')
    assert not cross(mirror=[('hip', 'neck')]).symmetric  # a root that is not on the axis
    tree = cross(weights=WEIGHTS | {'left_mid': {'left_arm': 0.5, 'left_hand': 0.5}})
    assert tree.asymmetries == ('left_mid', 'right_mid')
    assert cross(mirror=[]).mirror == tuple(range(8))


# -- from the skeleton of a data set -----------------------------------------------------------------------------------

SHIPPED = Path(mmpose.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets'


@pytest.fixture
def log_lines():
    kinematic_tree._log_once.cache_clear()
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = MMLogger.get_current_instance(), Keep()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def distances(count, links, start):
    """Shortest paths by Floyd and Warshall."""
    d = np.full((count, count), np.inf)
    np.fill_diagonal(d, 0)
    for a, b in links:
        d[a, b] = d[b, a] = 1
    for k in range(count):
        d = np.minimum(d, d[:, k : k + 1] + d[k : k + 1])
    return d[start]


# those of mmpose's data sets whose skeleton is connected, and how many links each has too many
CYCLES = dict(
    coco=3, crowdpose=2, aic=1, ap10k=1, animalpose=1, macaque=3, halpe26=2, mpii=0, onehand10k=0, freihand2d=0,
    rhd2d=0, h36m=0, jhmdb=0, atrw=0, zebra=0, coco_openpose=0, ochuman=3, humanart=3, panoptic_hand2d=0, mhp=0,
)  # fmt: skip


@pytest.mark.parametrize('name', CYCLES)
def test_spanning_trees_of_mmposes_skeletons(name, log_lines):
    info = Config.fromfile(str(SHIPPED / f'{name}.py')).dataset_info
    names = [info.keypoint_info[k]['name'] for k in sorted(info.keypoint_info)]
    links = [tuple(names.index(end) for end in link['link']) for link in info.skeleton_info.values()]
    tree = KinematicTree.from_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    assert tree.names == tree.joints == tuple(names) and (tree.weights == np.eye(len(names))).all()
    assert {frozenset(edge) for edge in tree.edges} <= {frozenset(link) for link in links}
    # breadth first: as near to the root as in the skeleton
    np.testing.assert_array_equal(tree.depth, distances(len(names), links, tree.root))
    assert tree.symmetric == (name != 'halpe26')  # whose nose hangs on one of two ears
    for k, image in enumerate(tree.mirror):
        assert names[image] == (info.keypoint_info[k]['swap'] or names[k])
    kept = {frozenset(edge) for edge in tree.edges}
    dropped = [link for link in links if frozenset(link) not in kept]
    assert len(dropped) == CYCLES[name]
    if dropped:
        assert len(log_lines) == 1 and f'{len(dropped)} of {len(links)} links' in log_lines[0]
        for a, b in dropped:
            assert f'{names[a]} - {names[b]}' in log_lines[0]
    else:
        assert not log_lines
    KinematicTree.from_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    assert len(log_lines) == bool(dropped), 'told once, not by each of neck, head and codec'


@pytest.mark.parametrize(
    ('name', 'root'),
    [('coco', 'nose'), ('lsp', 'neck'), ('mpii', 'thorax'), ('onehand10k', 'wrist'), ('crowdpose', 'neck')],
)
def test_the_root_is_the_centre_of_the_axis(name, root):
    tree = KinematicTree.from_metainfo(dict(from_file=f'{name}.py'))
    assert tree.names[tree.root] == root
    links = tree.edges
    reach = [distances(tree.num_parts, links, v).max() for v in range(tree.num_parts)]
    if name in ('lsp', 'mpii', 'onehand10k'):  # trees, so that the skeleton's distances are the tree's
        assert reach[tree.root] == min(r for v, r in enumerate(reach) if tree.mirror[v] == v)


def test_a_given_root(log_lines):
    tree = KinematicTree.from_metainfo(dict(from_file='coco.py'), root='left_hip')
    assert tree.names[tree.root] == 'left_hip' and not tree.symmetric
    assert tree.names[tree.parents[tree.names.index('right_hip')]] == 'left_hip'
    with pytest.raises(ValueError, match="root: 'tail' is no joint, the joints are"):
        KinematicTree.from_metainfo(dict(from_file='coco.py'), root='tail')


def test_ties_are_broken_so_that_the_tree_is_symmetric():
    # both hands can hang on either elbow; the tail on either hip or on the pelvis
    names = ['neck', 'l', 'r', 'lh', 'rh', 'pelvis', 'lhip', 'rhip', 'tail']
    swaps = ['', 'r', 'l', 'rh', 'lh', '', 'rhip', 'lhip', '']
    links = ['neck l', 'neck r', 'l lh', 'l rh', 'r rh', 'r lh', 'neck pelvis', 'neck lhip', 'neck rhip']
    links += ['lhip tail', 'rhip tail', 'pelvis tail']
    for order in (links, links[::-1]):
        info = dict(
            keypoint_info={i: dict(name=n, id=i, swap=s) for i, (n, s) in enumerate(zip(names, swaps, strict=True))},
            skeleton_info={i: dict(link=tuple(link.split())) for i, link in enumerate(order)},
        )
        tree = KinematicTree.from_metainfo(info, root='neck')
        assert tree.symmetric
        assert tree.names[tree.parents[names.index('tail')]] == 'pelvis'


def test_parsed_metainfo_is_as_good_as_written():
    from posestructs.datasets.metainfo import load_metainfo

    written = KinematicTree.from_metainfo(dict(from_file='coco_occlusion.py'))
    assert KinematicTree.from_metainfo(load_metainfo(dict(from_file='coco_occlusion.py'))) == written


def test_a_skeleton_in_pieces_is_refused_and_its_pieces_are_listed():
    with pytest.raises(ValueError, match='not connected') as caught:
        KinematicTree.from_metainfo(dict(from_file='horse10.py'))
    message = str(caught.value)
    assert 'Its 5 components: [Nose, Eye, Shoulder, Midshoulder, Elbow, Girth, Wither, Hip, Stifle, Ischium]' in message
    assert message.count('[') == 5 and "'horse10'" in message
    with pytest.raises(ValueError, match='Its 68 components'):
        KinematicTree.from_metainfo(dict(from_file='300w.py'))  # no links at all


def skeleton(**changes):
    info = {i: dict(name=n, id=i, swap=s) for i, (n, s) in enumerate([('a', ''), ('b', 'c'), ('c', 'b')])}
    return dict(keypoint_info=info, skeleton_info={0: dict(link=('a', 'b')), 1: dict(link=('a', 'c'))}) | changes


def test_bad_metainfo():
    assert KinematicTree.from_metainfo(skeleton()).parents == (-1, 0, 0)
    with pytest.raises(ValueError, match=r"skeleton_info\[0\].link: 'x' is no joint"):
        KinematicTree.from_metainfo(skeleton(skeleton_info={0: dict(link=('a', 'x'))}))
    one_sided = {i: dict(name=n, id=i, swap=s) for i, (n, s) in enumerate([('a', ''), ('b', 'c'), ('c', '')])}
    with pytest.raises(ValueError, match='metainfo: mirror is no involution'):
        KinematicTree.from_metainfo(skeleton(keypoint_info=one_sided))
    with pytest.raises(ValueError, match='must have keypoint_info and skeleton_info'):
        KinematicTree.from_metainfo(dict(a=1))
    with pytest.raises(TypeError, match='metainfo must be a dict, got str'):
        KinematicTree.from_metainfo('coco')
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        KinematicTree.from_metainfo(dict(from_file='nowhere.py'))
