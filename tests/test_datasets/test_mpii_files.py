import json

import numpy as np
import pytest

from posestructs.datasets import AnnotationError
from posestructs.datasets.mpii_files import check_mpii_json, load_sidecar, save_sidecar
from tests.helpers import data_root, needs_data


def person(**changes):
    joints = [[float(k), float(2 * k + 1)] for k in range(16)]
    base = dict(image='000000001.jpg', joints=joints, joints_vis=[1] * 16, center=[8.0, 16.0], scale=1.5)
    return {**base, **changes}


def test_what_is_read():
    images, joints, labelled = check_mpii_json([person(), person(joints_vis=[0] * 8 + [1] * 8)], 'a.json')
    assert images == ['000000001.jpg'] * 2
    assert joints.shape == (2, 16, 2) and joints[1, 3].tolist() == [3, 7]
    assert labelled.sum(axis=1).tolist() == [16, 8]
    hidden = person(joints=[[np.nan, 0]] + [[1, 1]] * 15, joints_vis=[0] + [1] * 15)
    assert not check_mpii_json([hidden], 'a.json')[2][0, 0]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'images': [], 'annotations': []}, r"holds a dict with the keys \['annotations', 'images'\]"),
        ([], 'holds no person'),
        ('text', 'holds a str'),
        ([1], "person 0 has no key 'image'"),
        ([person(), {k: v for k, v in person().items() if k != 'center'}], "person 1 has no key 'center'"),
        ([person(image=7)], 'person 0: image is 7'),
        ([person(image='a.jpg')], "person 0: image is 'a.jpg'"),
        ([person(joints=[[1, 2]] * 14)], r'person 0: joints has shape \(14, 2\), allowed: \(16, 2\)'),
        ([person(joints_vis=[1] * 17)], r'person 0: joints_vis has shape \(17,\)'),
        ([person(joints=[[1, 2]] * 15 + [[1]])], 'person 0: joints is'),
        ([person(joints=[[1, 2]] * 15 + [[1, np.inf]])], r'person 0: joint 15 is at \[1.0, inf\]'),
        ([person(scale='big')], "person 0: scale is 'big'"),
        ([person(scale=np.nan)], 'person 0: scale is nan'),
        ([person(), person(center=[1, np.inf])], 'person 1: center is'),
    ],
)
def test_what_is_refused(content, message):
    with pytest.raises(AnnotationError, match=f'a.json: {message}'):
        check_mpii_json(content, 'a.json')


@pytest.fixture
def three(tmp_path):
    images = ['000000001.jpg', '000000002.jpg', '000000003.jpg']
    joints = np.random.default_rng(0).uniform(0, 500, (3, 16, 2))
    occluded = np.random.default_rng(1).integers(-1, 2, (3, 16)).astype(np.int8)
    path = tmp_path / 'deep' / 'side.npz'
    save_sidecar(path, occluded, images, joints)
    return path, occluded, images, joints


def test_a_side_car_comes_back(three):
    path, occluded, images, joints = three
    np.testing.assert_array_equal(load_sidecar(path, 'a.json', images, joints), occluded)
    assert [p.name for p in path.parent.iterdir()] == ['side.npz']  # no half-written file is left


def test_a_side_car_of_another_json_is_refused(three):
    path, _, images, joints = three
    with pytest.raises(
        AnnotationError, match=r'occluded has shape \(3, 16\), allowed: \(2, 16\) for the persons of a.json'
    ):
        load_sidecar(path, 'a.json', images[:2], joints[:2])
    with pytest.raises(AnnotationError, match='person 1 is another one than in a.json'):
        load_sidecar(path, 'a.json', [images[0], images[2], images[1]], joints)
    joints[2, 5, 1] += 3
    with pytest.raises(AnnotationError, match=r'person 2 is another one than in a.json \(image 000000003.jpg\)'):
        load_sidecar(path, 'a.json', images, joints)


def test_what_is_no_side_car(three, tmp_path):
    path, occluded, images, joints = three
    with pytest.raises(FileNotFoundError, match='nowhere.npz.*mpii_occlusion.py makes it'):
        load_sidecar(tmp_path / 'nowhere.npz', 'a.json', images, joints)
    whole = path.read_bytes()
    for content in (b'', b'hello', whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match='side.npz: cannot be read'):
            load_sidecar(path, 'a.json', images, joints)
    np.savez(path, occluded=occluded)
    with pytest.raises(AnnotationError, match='side.npz: cannot be read'):
        load_sidecar(path, 'a.json', images, joints)
    np.savez(path, occluded=np.array([{}]), images=images, keypoints=joints)  # needs pickle
    with pytest.raises(AnnotationError, match='side.npz: cannot be read'):
        load_sidecar(path, 'a.json', images, joints)
    save_sidecar(path, occluded + 5, images, joints)
    with pytest.raises(AnnotationError, match='key occluded holds'):
        load_sidecar(path, 'a.json', images, joints)


@needs_data
def test_the_validation_json():
    path = data_root() / 'mpii-val' / 'mpii_val.json'
    images, joints, labelled = check_mpii_json(json.loads(path.read_text()), path)
    assert (len(images), joints.shape, labelled.sum()) == (2958, (2958, 16, 2), 44240)
