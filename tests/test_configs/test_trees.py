"""The shipped trees, against what the papers, the release and the data sets say."""

import numpy as np
import pytest
from scipy.io import loadmat

from posestructs.structures import build_tree
from posestructs.structures.metainfo import load_metainfo, metainfo_file
from tests.helpers import data_root, needs_data

# the release's tables, all counted from 1; 0 is the root's parent
LSP_PARENTS = [0, 1, 2, 3, 4, 5, 6, 3, 8, 9, 10, 11, 12, 13, 2, 15, 16, 17, 18, 15, 20, 21, 22, 23, 24, 25]
LSP_MIRROR = [1, 2, *range(15, 27), *range(3, 15)]
LSP_REAL = [1, 2, 3, 5, 7, 10, 12, 14, 15, 17, 19, 22, 24, 26]
LSP_COLUMNS = [14, 13, 9, 8, 7, 3, 2, 1, 10, 11, 12, 4, 5, 6]  # of LSP's file, of each real part in turn
FLIC_PARENTS = [0, 1, 2, 3, 4, 5, 6, 3, 8, 9, 2, 11, 12, 13, 14, 11, 16, 17]
FLIC_MIRROR = [1, 2, *range(11, 19), *range(3, 11)]


def shipped(name):
    return build_tree(dict(from_file=f'{name}.py'))


def real_parts(tree):
    """Those that are joints, from 1."""
    return sorted(part + 1 for part in tree.joint_parts)


def test_lsp_26_is_the_releases():
    tree = shipped('lsp-26')
    assert [parent + 1 for parent in tree.parents] == LSP_PARENTS
    assert [image + 1 for image in tree.mirror] == LSP_MIRROR
    assert real_parts(tree) == LSP_REAL
    columns = {part + 1: column + 1 for column, part in enumerate(tree.joint_parts)}
    assert [columns[part] for part in LSP_REAL] == LSP_COLUMNS
    assert tree.joints == tuple(load_metainfo(dict(from_file=metainfo_file('lsp')))['keypoint_id2name'].values())


def test_lsp_26_virtual_parts_word_by_word():
    """Midpoints of every limb, and points at 1/3 and 2/3 between shoulder and hip, from joint positions alone."""
    tree = shipped('lsp-26')
    joints = np.random.default_rng(0).normal(size=(14, 2))
    ankle, knee, hip, wrist, elbow, shoulder = 0, 1, 2, 6, 7, 8  # file columns of the image's left side
    positions, _ = tree.part_positions(joints)
    expected = {
        4: (joints[shoulder] + joints[elbow]) / 2,
        6: (joints[elbow] + joints[wrist]) / 2,
        8: joints[shoulder] + (joints[hip] - joints[shoulder]) / 3,
        9: joints[shoulder] + (joints[hip] - joints[shoulder]) * 2 / 3,
        11: (joints[hip] + joints[knee]) / 2,
        13: (joints[knee] + joints[ankle]) / 2,
    }
    for part, point in expected.items():
        np.testing.assert_allclose(positions[part - 1], point, atol=1e-12, err_msg=tree.names[part - 1])
    assert sorted([*LSP_REAL, *expected, *(LSP_MIRROR[part - 1] for part in expected)]) == list(range(1, 27))


@needs_data
def test_lsp_26_the_releases_left_is_what_is_on_the_images_left():
    """The release's parts 3 to 14 ("left") are left of 15 to 26 in observer-centric labels of upright persons."""
    tree = shipped('lsp-26')
    joints = loadmat(data_root() / 'lsp-annotations' / 'joints_pc_oc.mat')['oc_joints'].transpose(2, 1, 0)
    positions, _ = tree.part_positions(joints[..., :2].astype(np.float64))
    shoulder, hip = ((positions[:, part - 1] + positions[:, LSP_MIRROR[part - 1] - 1]) / 2 for part in (3, 10))
    upright = (hip - shoulder)[:, 1] > 5 * np.abs((hip - shoulder)[:, 0])
    assert upright.sum() > 1000
    for part in (3, 10):  # shoulder, hip
        left, right = positions[upright, part - 1, 0], positions[upright, LSP_MIRROR[part - 1] - 1, 0]
        assert (left < right).mean() > 0.98, tree.names[part - 1]


def test_flic_18_is_derived_by_the_same_rule():
    tree = shipped('flic-18')
    assert [parent + 1 for parent in tree.parents] == FLIC_PARENTS
    assert [image + 1 for image in tree.mirror] == FLIC_MIRROR
    assert tree.names[:2] == ('nose', 'neck')
    assert tree.joints == tuple(load_metainfo(dict(from_file=metainfo_file('flic')))['keypoint_id2name'].values())
    # the upper body of LSP-26, part by part: the same names in the same order, the same weights
    lsp = shipped('lsp-26')
    upper = [0, 1, *range(2, 10), *range(14, 22)]
    assert tree.names[1:] == tuple(lsp.names[v] for v in upper[1:])
    for v, name in enumerate(tree.names[2:], 2):
        ours = {joint: w for joint, w in zip(tree.joints, tree.weights[v], strict=True) if w}
        theirs = {joint: w for joint, w in zip(lsp.joints, lsp.weights[lsp.names.index(name)], strict=True) if w}
        assert ours == theirs


@needs_data
def test_flic_18_begins_with_the_images_left():
    """In FLIC's files r* is on the image's left."""
    from posestructs.datasets import FLICDataset

    tree = shipped('flic-18')
    dataset = FLICDataset(str(data_root() / 'flic-annotations' / 'valid.h5'), check_images=False)
    persons = [dataset.get_data_info(i) for i in range(len(dataset))]
    positions, labelled = tree.part_positions(
        np.concatenate([p['keypoints'] for p in persons]), np.concatenate([p['keypoints_visible'] for p in persons])
    )
    assert len(persons) == 1016
    for part in (3, 10):
        both = labelled[:, part - 1] & labelled[:, FLIC_MIRROR[part - 1] - 1]
        left, right = positions[both, part - 1, 0], positions[both, FLIC_MIRROR[part - 1] - 1, 0]
        assert both.sum() > 500 and (left < right).mean() > 0.9, tree.names[part - 1]


def test_mpii_16_and_coco_17():
    mpii, coco = shipped('mpii-16'), shipped('coco-17')
    for tree, name in ((mpii, 'mpii_occlusion'), (coco, 'coco_occlusion')):
        meta = load_metainfo(dict(from_file=metainfo_file(name)))
        assert tree.joints == tuple(meta['keypoint_id2name'].values())
        flip = [tree.joints.index(tree.names[tree.mirror[part]]) for part in tree.joint_parts]
        assert flip == meta['flip_indices']
        assert sorted(tree.names) == sorted(tree.joints)
    parent = {name: mpii.names[p] if p >= 0 else None for name, p in zip(mpii.names, mpii.parents, strict=True)}
    assert parent['right_shoulder'] == parent['pelvis'] == 'thorax' and parent['left_hip'] == 'pelvis'
    links = {frozenset(link) for link in load_metainfo(dict(from_file='mpii.py'))['skeleton_links']}
    ids = [mpii.joints.index(name) for name in mpii.names]
    drawn = [frozenset((ids[a], ids[b])) in links for a, b in mpii.edges]
    assert drawn.count(False) == 2  # the shoulders'
    parent = {name: coco.names[p] if p >= 0 else None for name, p in zip(coco.names, coco.parents, strict=True)}
    assert parent['left_shoulder'] == parent['left_eye'] == 'nose' and parent['left_hip'] == 'left_shoulder'


@needs_data
def test_mpiis_thorax_is_the_middle_of_its_shoulders():
    """Why the shoulders hang on it in mpii-16."""
    import h5py

    with h5py.File(data_root() / 'mpii-val' / 'valid.h5') as file:
        joints = np.array(file['part'], dtype=np.float64)
    labelled = (joints[:, [7, 12, 13]] > 0).all(axis=(1, 2))
    away = np.linalg.norm(joints[:, 7] - joints[:, 12:14].mean(axis=1), axis=-1)[labelled]
    assert labelled.sum() > 2900 and np.median(away) < 1


@pytest.mark.parametrize('name', ['lsp-26', 'flic-18', 'mpii-16', 'coco-17'])
def test_shipped_trees_are_symmetric_and_speak_of_left_and_right(name):
    tree = shipped(name)
    assert tree.symmetric
    for v, image in enumerate(tree.mirror):
        a, b = tree.names[v], tree.names[image]
        assert b == (a.replace('left', 'right') if 'left' in a else a.replace('right', 'left'))
    # the weights of a mirrored part are the mirrored weights
    flip = [tree.joints.index(tree.names[tree.mirror[part]]) for part in tree.joint_parts]
    np.testing.assert_array_equal(tree.weights[list(tree.mirror)][:, flip], tree.weights)
