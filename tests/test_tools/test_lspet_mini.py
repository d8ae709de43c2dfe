"""The small real set as its converter makes it, against the one that all figures are of."""

import importlib.util

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from tests.helpers import data_root, needs_data, repo_root
from tests.helpers.tools import run_main

NAME = 'dataset_converters/lspet_mini.py'
RAW, MINI = data_root() / 'lspet-raw-sample', data_root() / 'lspet-mini'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('lspet_mini', repo_root() / 'tools/dataset_converters/lspet_mini.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_data
def test_persons_are_those_of_the_configs(tool):
    for packed, name in ((tool.TRAIN, 'train.txt'), (tool.VAL, 'val.txt')):
        assert tool.person_ids(packed).tolist() == [int(n) for n in (MINI / name).read_text().split()]


@needs_data
def test_joints_of_all_persons(tool):
    raw, expected = (loadmat(folder / 'joints.mat')['joints'] for folder in (RAW, MINI))
    ids = np.union1d(tool.person_ids(tool.TRAIN), tool.person_ids(tool.VAL))
    reduced = 0
    for n in ids:
        with Image.open(MINI / 'images' / f'im{n:05d}.jpg') as image:
            size = image.size
        joints = raw[..., n - 1]
        crop = tool.crop_of(joints, (10_000, 10_000))
        # the image's edge, which only the images tell, cuts what is larger
        if max(size) < tool.SIZE:
            crop = crop._replace(right=crop.left + size[0], bottom=crop.top + size[1], width=size[0], height=size[1])
            np.testing.assert_allclose(tool.moved(joints, crop), expected[..., n - 1], rtol=0, atol=1e-9)
        reduced += max(size) == tool.SIZE
    assert 0 < reduced < 30


@needs_data
def test_images_of_the_raw_sample(tool, tmp_path):
    ids = np.union1d(tool.person_ids(tool.TRAIN), tool.person_ids(tool.VAL))
    ids = ids[ids <= 24]
    joints = tool.convert(RAW, tmp_path, ids, progress=False)
    expected = loadmat(MINI / 'joints.mat')['joints']
    np.testing.assert_allclose(joints[..., ids - 1], expected[..., ids - 1], rtol=0, atol=1e-9)
    for n in ids:
        ours, theirs = (cv2.imread(str(folder / 'images' / f'im{n:05d}.jpg')) for folder in (tmp_path, MINI))
        np.testing.assert_array_equal(ours, theirs)
    assert not joints[..., 24:].any()


def test_a_large_crop_is_reduced_axis_by_axis(tool):
    joints = np.array([[0.0, 0, 1], [300, 100, 1], [50, 20, 0]])
    crop = tool.crop_of(joints, (320, 400))
    # the box 300 x 100 around (150, 50): a square of 450 from (-75, -175) to (375, 275), cut at the edges
    assert crop == (0, 0, 320, 275, 256, 220)
    assert tool.moved(joints, crop).tolist() == [[0, 0, 1], [240, 80, 1], [0, 0, 0]]


def test_what_cannot_be_converted_is_said_in_one_line(tmp_path):
    source = tmp_path / 'source'
    source.mkdir()
    with pytest.raises(SystemExit, match='error: source: .*joints.mat'):
        run_main(NAME, source, '--out', tmp_path / 'out')
    savemat(source / 'joints.mat', dict(joints=np.ones((14, 3, 7))))
    with pytest.raises(SystemExit, match=r'shape \(14, 3, 7\), allowed: \(14, 3, 10000\)'):
        run_main(NAME, source, '--out', tmp_path / 'out')
    savemat(source / 'joints.mat', dict(joints=np.ones((14, 3, 10_000))))
    with pytest.raises(SystemExit, match='6000 of 6000 images do not exist, among them .*im00002.jpg'):
        run_main(NAME, source, '--out', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'a').touch()
    with pytest.raises(SystemExit, match='--out .*full, allowed: a folder that does not exist or is empty'):
        run_main(NAME, source, '--out', tmp_path / 'full')
