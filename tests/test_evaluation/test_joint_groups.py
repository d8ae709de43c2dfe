import pytest

from posestructs.evaluation.joint_groups import find_groups, mirrored_groups


def meta(*names, flip=None):
    return dict(
        keypoint_name2id={n: i for i, n in enumerate(names)}, **({} if flip is None else dict(flip_indices=flip))
    )


def test_lsp_declares_its_columns(lsp_meta):
    groups = find_groups(None, lsp_meta, 'M')
    assert list(groups) == ['head', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle']
    assert sorted(groups['elbow']) == [7, 10] and sorted(groups['head']) == [12, 13]


def test_mirrored_joints_share_a_column(coco_meta):
    groups = find_groups(None, coco_meta, 'M')
    assert list(groups) == ['nose', 'eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle']
    assert groups['knee'] == (13, 14) and groups['nose'] == (0,)
    assert sorted(i for g in groups.values() for i in g) == list(range(17))


def test_names_of_other_data_sets():
    assert mirrored_groups(meta('L_Eye', 'R_Eye', 'Nose', flip=[1, 0, 2])) == {
        'Eye': ['L_Eye', 'R_Eye'],
        'Nose': ['Nose'],
    }
    assert mirrored_groups(meta('kpt-0', 'kpt-1', flip=[1, 0])) == {'kpt-0+kpt-1': ['kpt-0', 'kpt-1']}
    assert mirrored_groups(meta('eye', 'left_eye', 'right_eye', flip=[0, 2, 1])) == {
        'eye': ['eye'], 'left_eye+right_eye': ['left_eye', 'right_eye'],
    }  # fmt: skip
    assert mirrored_groups(meta('a', 'b')) == {'a': ['a'], 'b': ['b']}


def test_groups_of_the_config():
    own = meta('a', 'b', 'c')
    assert find_groups(dict(x=['c', 'a'], y='b'), own, 'M') == {'x': (2, 0), 'y': (1,)}
    assert find_groups({}, own, 'M') == {}
    with pytest.raises(ValueError, match=r"M.joint_groups\['x'\]=\[\], allowed: a list of joint names"):
        find_groups(dict(x=[]), own, 'M')
    with pytest.raises(ValueError, match='M.joint_groups=.*, allowed: a dict of column name to joint names'):
        find_groups(['a'], own, 'M')
