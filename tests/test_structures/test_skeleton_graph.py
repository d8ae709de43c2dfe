"""Spanning trees of real skeletons against shortest paths, and skeletons that have none."""

from pathlib import Path

import mmpose
import numpy as np
import pytest
from mmengine import Config

from posestructs.structures import KinematicTree
from posestructs.structures.skeleton_graph import skeleton_graph, spanning_tree

SHIPPED = Path(mmpose.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets'


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
def test_spanning_trees_of_mmposes_skeletons(name):
    info = Config.fromfile(str(SHIPPED / f'{name}.py')).dataset_info
    names = [info.keypoint_info[k]['name'] for k in sorted(info.keypoint_info)]
    links = [tuple(names.index(end) for end in link['link']) for link in info.skeleton_info.values()]
    tree = KinematicTree.from_metainfo(dict(from_file=f'configs/_base_/datasets/{name}.py'))
    assert tree.names == tree.joints == tuple(names) and (tree.weights == np.eye(len(names))).all()
    assert {frozenset(edge) for edge in tree.edges} <= {frozenset(link) for link in links}
    # breadth first: as near to the root as in the skeleton
    np.testing.assert_array_equal(tree.depth, distances(len(names), links, tree.root))
    assert tree.symmetric == (name != 'halpe26')  # whose nose has one of two ears as its parent
    for k, image in enumerate(tree.mirror):
        assert names[image] == (info.keypoint_info[k]['swap'] or names[k])
    kept = {frozenset(edge) for edge in tree.edges}
    dropped = [link for link in links if frozenset(link) not in kept]
    assert len(dropped) == CYCLES[name]
    given, reported = spanning_tree(skeleton_graph(dict(from_file=f'{name}.py')))
    assert given == tree.parents and set(reported) == set(dropped)


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


def test_a_given_root():
    tree = KinematicTree.from_metainfo(dict(from_file='coco.py'), root='left_hip')
    assert tree.names[tree.root] == 'left_hip' and not tree.symmetric
    assert tree.names[tree.parents[tree.names.index('right_hip')]] == 'left_hip'
    with pytest.raises(ValueError, match="root: 'tail' is not a joint, the joints are"):
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
    from posestructs.structures.metainfo import load_metainfo

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
    with pytest.raises(ValueError, match=r"skeleton_info\[0\].link: 'x' is not a joint"):
        KinematicTree.from_metainfo(skeleton(skeleton_info={0: dict(link=('a', 'x'))}))
    one_sided = {i: dict(name=n, id=i, swap=s) for i, (n, s) in enumerate([('a', ''), ('b', 'c'), ('c', '')])}
    with pytest.raises(ValueError, match='metainfo: mirror does not lead back'):
        KinematicTree.from_metainfo(skeleton(keypoint_info=one_sided))
    nameless = {0: dict(id=0), 1: dict(name='b', id=1)}
    with pytest.raises(TypeError, match=r"metainfo: names of keypoint_info=\(None, 'b'\), allowed: a list of names"):
        KinematicTree.from_metainfo(skeleton(keypoint_info=nameless))
    for key, value in (('skeleton_info', []), ('skeleton_info', {0: ('a', 'b')}), ('keypoint_info', ['a', 'b'])):
        with pytest.raises(ValueError, match=f'metainfo: {key}=.*, allowed: a dict of dicts by number'):
            KinematicTree.from_metainfo(skeleton(**{key: value}))
    for link in (None, 'ab', ('a',), ('a', 'b', 'c')):
        with pytest.raises(ValueError, match=r'metainfo: skeleton_info\[0\].link=.*, allowed: two joints'):
            KinematicTree.from_metainfo(skeleton(skeleton_info={0: dict(link=link)}))
    with pytest.raises(ValueError, match='required: keypoint_info and skeleton_info'):
        KinematicTree.from_metainfo(dict(a=1))
    with pytest.raises(TypeError, match="metainfo='coco', allowed: a dict"):
        KinematicTree.from_metainfo('coco')
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        KinematicTree.from_metainfo(dict(from_file='nowhere.py'))
