"""The real command on a tiny model of synthetic figures: its images, and one line for what it cannot do."""

import importlib.util
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from posestructs.structures import build_tree
from posestructs.utils import cli
from posestructs.utils.paths import config_root
from tests.helpers import repo_root

CONFIG = """
_base_ = '{base}'
model = dict(
    type='StructuredPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', mean=[128] * 3, std=[64] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, num_stages=2, strides=(1, 1), dilations=(1, 1), out_indices=(1,)),
    neck=dict(type='TreeMessagePassing', in_channels=16, part_channels=4, preset='separable', tree=_base_.codec.tree),
    head=dict(type='PartScoreHead', in_channels=26 * 2 * 4, decoder=_base_.codec),
)
test_dataloader = dict(dataset=dict(num_samples=5))
"""
TOOL = 'analysis/show_messages.py'


def save(cfg, path):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.nn.init.normal_(model.neck.fc7.weight, std=0.2)
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('messages')
    base = config_root() / '_base_' / 'dataloaders' / 'stick-figure_64x64_parts.py'
    (folder / 'tiny.py').write_text(CONFIG.format(base=base))
    save(cli.load_config(str(folder / 'tiny.py')), folder / 'tiny.pth')
    cv2.imwrite(str(folder / 'photo.png'), np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8))
    return folder


@pytest.fixture
def load(monkeypatch):
    """The tool's functions."""
    monkeypatch.setattr(sys, 'path', [*sys.path])
    spec = importlib.util.spec_from_file_location('show_messages', repo_root() / 'tools' / TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture
def run(main, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where images go by default
    return lambda *flags: main(TOOL, folder / 'tiny.py', folder / 'tiny.pth', *flags)


def test_the_command_itself(command, folder, tmp_path):
    """In a process of its own, from another folder, with nothing installed."""
    call = (TOOL, folder / 'tiny.py', folder / 'tiny.pth', '--parts', 'right_elbow', '--index', 4)
    done = command(*call, cwd=tmp_path)
    assert done.returncode == 0 and '1 image in work_dirs/messages/tiny' in done.stdout, done.stdout + done.stderr
    (image,) = (tmp_path / 'work_dirs' / 'messages' / 'tiny').iterdir()
    assert image.name == 'test000004_right_elbow.png'
    # a row of scores, one for the child (forearm), one for the parent (upper arm)
    height, width = cv2.imread(str(image)).shape[:2]
    assert height == pytest.approx(1000, abs=5) and width == pytest.approx(1020, abs=5)


def test_an_image_and_a_box_in_it(run, folder, tmp_path):
    run('--image', folder / 'photo.png', '--parts', 'right_wrist', '--output-dir', 'whole')
    run('--image', folder / 'photo.png', '--bbox', 10, 10, 40, 60, '--parts', 'right_wrist', '--output-dir', 'box')
    whole, box = (cv2.imread(str(tmp_path / name / 'photo_right_wrist.png')) for name in ('whole', 'box'))
    assert whole.shape == box.shape and (whole != box).mean() > 0.1


def test_joints_are_drawn_where_no_parts_are_named(load):
    tree = build_tree(dict(from_file='lsp-26.py'))
    assert [tree.names[k] for k in load.chosen_parts(tree, None)] == list(tree.joints)
    assert load.chosen_parts(tree, ['right_forearm', 'neck']) == [5, 1]


def test_the_truth_goes_through_the_crop(load, folder):
    """Of a joint and of a virtual part, in pixels of the input."""
    cfg = cli.load_config(str(folder / 'tiny.py'))
    args = SimpleNamespace(phase='test', index=2)
    tree = build_tree(dict(from_file='lsp-26.py'))
    person = load.person_of_dataset(cfg, args, tree)
    target = person.packed['data_samples'].gt_instances
    names = ('right_elbow', 'right_wrist', 'right_forearm')
    elbow, wrist, forearm = (person.parts[tree.names.index(name)] for name in names)
    np.testing.assert_allclose(elbow, target.transformed_keypoints[0, 7], rtol=1e-6)
    np.testing.assert_allclose(wrist, target.transformed_keypoints[0, 6], rtol=1e-6)
    np.testing.assert_allclose(forearm, (elbow + wrist) / 2, rtol=1e-6)
    assert person.known.all() and not np.allclose(elbow, target.keypoints[0, 7])


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--parts', 'nose_tip', 'neck'], '--parts nose_tip: no such part, allowed: head_top neck right_shoulder'),
        (['--index', '5'], '--index 5: the test data has the persons 0 to 4'),
        (['--image', 'nowhere.png'], '--image nowhere.png: No such file'),
        (['--image', 'tiny.py'], '--image tiny.py: not decodable'),
        (['--image', 'photo.png', '--bbox', '80', '0', '90', '9'], 'is outside the image, which is'),
        (['--bbox', '0', '0', '9', '9'], '--bbox needs --image'),
        (['--device', 'warp:0'], "device 'warp:0'"),
        (['--cfg-options', 'test_dataloader=None'], 'sets no test_dataloader.dataset'),
        (['--cfg-options', 'model.backbone.base_channels=16'], 'tiny.pth does not match config'),
        (['--cfg-options', 'test_dataloader.dataset.num_samples=0'], 'num_samples'),
        (['--cfg-options', 'model.neck.direction=self'], 'no part has messages from another part'),
    ],
)
def test_errors_are_one_line(run, folder, monkeypatch, flags, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stop:
        run(*flags)
    assert str(stop.value).startswith('show_messages.py: error: ') and message in str(stop.value)
    assert '\n' not in str(stop.value)
    assert not (folder / 'work_dirs').exists()


def test_wrong_checkpoints_and_configs(main, folder, tmp_path):
    broken = tmp_path / 'broken.pth'
    broken.write_bytes((folder / 'tiny.pth').read_bytes()[:3000])
    other = config_root() / 'demo' / 'td-hm_res18-small_stick-figure-64x64.py'
    cases = [
        ((folder / 'tiny.py', tmp_path / 'none.pth'), 'none.pth: no such file'),
        ((folder / 'tiny.py', broken), 'broken.pth: it is truncated'),
        ((other, folder / 'tiny.pth'), 'has the neck NoneType and the head HeatmapHead'),
        ((folder / 'no.py', folder / 'tiny.pth'), 'no.py does not exist'),
    ]
    for words, message in cases:
        with pytest.raises(SystemExit) as stop:
            main(TOOL, *words)
        assert str(stop.value).startswith('show_messages.py: error: ') and message in str(stop.value)
