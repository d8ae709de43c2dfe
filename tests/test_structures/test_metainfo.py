import io
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from posestructs.structures.metainfo import load_metainfo, metainfo_file

SHIPPED = {
    'lsp': (14, 10),
    'flic': (10, 6),
    'flic_11kpt': (11, 6),
    'mpii_occlusion': (16, 10),
    'coco_occlusion': (17, 9),
}


def raw(name='lsp'):
    return Config.fromfile(metainfo_file(name)).dataset_info.to_dict()


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_metainfo_is_consistent(name):
    meta = load_metainfo(dict(from_file=metainfo_file(name)))
    joints, sticks = SHIPPED[name]
    assert meta['num_keypoints'] == joints == len(meta['sigmas']) == len(meta['dataset_keypoint_weights'])
    assert len(meta['sticks']) == sticks
    flip = meta['flip_indices']
    assert [flip[i] for i in flip] == list(range(joints))
    for i, j in enumerate(flip):
        a, b = meta['keypoint_id2name'][i], meta['keypoint_id2name'][j]
        assert b == (a.replace('left', 'right') if 'left' in a else a.replace('right', 'left'))
    # every left stick has its mirror image on the right, joint for joint
    sides = {side: {s['name']: s['ends'] for s in meta['sticks'] if s['side'] == side} for side in ('left', 'right')}
    assert {k: tuple(e.replace('left', 'right') for e in v) for k, v in sides['left'].items()} == sides['right']
    assert sides['left'] and set(meta['joint_groups']) >= {'shoulder', 'elbow', 'wrist', 'hip'}
    assert meta['torso_pair'] == ('left_shoulder', 'right_hip')
    torso = next(s for s in meta['sticks'] if s['name'] == 'torso')
    assert torso['ends'] == (('right_shoulder', 'left_shoulder'), ('right_hip', 'left_hip'))


def test_lsp_is_in_the_order_of_the_file():
    meta = load_metainfo(dict(from_file=metainfo_file('lsp')))
    sides = [f'right_{j}' for j in ('ankle', 'knee', 'hip')] + [f'left_{j}' for j in ('hip', 'knee', 'ankle')]
    sides += [f'right_{j}' for j in ('wrist', 'elbow', 'shoulder')] + [
        f'left_{j}' for j in ('shoulder', 'elbow', 'wrist')
    ]
    assert list(meta['keypoint_id2name'].values()) == [*sides, 'neck', 'head_top']
    assert [meta['keypoint_name2id'][n] for n in meta['torso_pair']] == [9, 2]
    assert sorted(sum(meta['joint_groups'].values(), [])) == sorted([*sides, 'neck', 'head_top'])


@pytest.mark.parametrize(('ours', 'theirs'), [('mpii_occlusion', 'mpii'), ('coco_occlusion', 'coco')])
def test_joints_are_mmposes_where_it_has_them(ours, theirs):
    expected = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{theirs}.py'))
    found = load_metainfo(dict(from_file=metainfo_file(ours)))
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_extra_keys_are_plain_and_load_from_a_safe_checkpoint():
    meta = load_metainfo(dict(from_file=metainfo_file('lsp')))
    extra = {key: meta[key] for key in ('sticks', 'torso_pair', 'joint_groups')}
    file = io.BytesIO()
    torch.save(extra, file)
    file.seek(0)
    assert torch.load(file, weights_only=True) == extra


def test_shipped_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_metainfo(dict(from_file='configs/_base_/datasets/lsp.py'))['torso_pair']
    assert load_metainfo(dict(from_file='configs/_base_/datasets/ap10k.py'))['dataset_name'] == 'ap10k'


def test_a_file_in_reach_comes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    info = raw()
    info['dataset_name'] = 'mine'
    (tmp_path / 'lsp.py').write_text(f'dataset_info = {info!r}')
    assert load_metainfo(dict(from_file='lsp.py'))['dataset_name'] == 'mine'


def test_foreign_metainfo_gets_no_extra_keys():
    info = {k: v for k, v in raw().items() if k not in ('sticks', 'torso_pair', 'joint_groups')}
    assert not {'sticks', 'torso_pair', 'joint_groups'} & set(load_metainfo(info))


def broken(**changes):
    info = deepcopy(raw())
    for path, value in changes.items():
        *parents, last = path.split('__')
        node = info
        for key in parents:
            node = node[int(key) if key.isdigit() else key]
        last = int(last) if last.isdigit() else last
        if value is None:
            del node[last]
        else:
            node[last] = value
    return info


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(sigmas=None), 'key sigmas is missing'),
        (dict(sigmas=[0.1]), r'sigmas=\[0.1\], allowed: a list of 14 items'),
        (dict(sigmas=[0.1] * 13 + [0]), r'sigmas\[13\]=0, allowed: a finite number above 0'),
        (dict(joint_weights=[float('nan')] * 14), r'joint_weights\[0\]=nan, allowed: a finite number of at least 0'),
        (dict(skeleton_info=[]), r'skeleton_info=\[\], allowed: a dict of dicts by number'),
        (dict(keypoint_info__2__name=None), r'keypoint_info\[2\].name=None, allowed: the name of a joint'),
        (dict(keypoint_info__2__swap=['neck']), r"keypoint_info\[2\].swap=\['neck'\], allowed: the name of a joint"),
        (
            dict(keypoint_info__2__color='red'),
            r"keypoint_info\[2\] \(right_hip\).color='red', allowed: a list of 3",
        ),
        (dict(keypoint_info__2__color=[0, 0, 256]), r'keypoint_info\[2\] \(right_hip\).color\[2\]=256, allowed: '),
        (dict(keypoint_info__2__type='middle'), r"keypoint_info\[2\] \(right_hip\).type='middle', allowed: 'upper', "),
        (dict(skeleton_info__0__color='red'), r"skeleton_info\[0\].color='red', allowed: a list of 3 items"),
        (dict(keypoint_info__2__id=3), r'keypoint_info\[2\].id=3, allowed: 2, its key'),
        (dict(joint_groups=['neck']), r"joint_groups=\['neck'\], allowed: a dict"),
        (dict(sticks='neck'), "sticks='neck', allowed: a list"),
        (dict(keypoint_info__3=None), 'keys of keypoint_info=.*, allowed: 0 to 12 in order'),
        (dict(keypoint_info__13__name='neck'), 'names a joint twice'),
        (dict(keypoint_info__0__swap='left_knee'), "swap='left_knee' of 'right_ankle'"),
        (dict(skeleton_info__0__link=('tail', 'neck')), r"skeleton_info\[0\].link: 'tail' is not a joint"),
        (dict(sticks__0__ends=('neck', 'tail')), r"sticks\[0\].ends: 'tail' is not a joint"),
        (dict(sticks__0__ends=('neck', 'neck')), r'sticks\[0\].ends=.*, allowed: two different joints'),
        (dict(sticks__0__ends=('neck', ())), r'sticks\[0\].ends=.*, allowed: two different joints'),
        (dict(sticks__0__side='middle'), r"sticks\[0\].side='middle', allowed: 'left', 'right', None"),
        (dict(sticks__0__side=None), r"sticks\[0\]: missing keys 'side'"),
        (dict(sticks__1__name='head'), r'sticks names a stick twice'),
        (dict(torso_pair=('neck', 'neck')), r"torso_pair=\('neck', 'neck'\), allowed: two different joints"),
        (dict(torso_pair=('neck', 'tail')), "torso_pair: 'tail' is not a joint"),
        (dict(joint_groups__head=['tail']), r"joint_groups\['head'\]: 'tail' is not a joint"),
        (dict(joint_groups__head='neck'), r"joint_groups\['head'\]='neck', allowed: a list"),
    ],
)
def test_errors_name_key_and_value(changes, message):
    with pytest.raises(ValueError, match=message):
        load_metainfo(broken(**changes))


def test_errors_name_the_file(tmp_path):
    path = tmp_path / 'meta.py'
    path.write_text(f'dataset_info = {broken(sigmas=[0.1])!r}')
    with pytest.raises(ValueError, match='meta.py: sigmas'):
        load_metainfo(dict(from_file=str(path)))
    path.write_text('model = 1')
    with pytest.raises(ValueError, match='meta.py: key dataset_info is missing'):
        load_metainfo(dict(from_file=str(path)))
    with pytest.raises(FileNotFoundError, match='from_file=.*nowhere.py'):
        load_metainfo(dict(from_file='nowhere.py'))
    with pytest.raises(FileNotFoundError, match=r"'nowhere' is not shipped.*'lsp'"):
        metainfo_file('nowhere')
    with pytest.raises(TypeError, match="metainfo='lsp', allowed: a dict"):
        load_metainfo('lsp')
