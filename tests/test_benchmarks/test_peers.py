"""Peers: MediaPipe's landmarks and persons not found; timing of networks, and what is done to them beforehand."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

import posestructs  # noqa: F401
from benchmarks import peers
from benchmarks.peer_models.derived_joints import COCO, landmarks_to_coco
from benchmarks.peer_models.mediapipe_pose import crop_matrix
from benchmarks.peer_models.report import COLUMNS, peers_section
from benchmarks.peer_models.timing import Timed, fold_norms, network_of_config, time_networks
from posestructs.utils import cli
from posestructs.utils.usage import UsageError
from tests.helpers import data_root, needs_data

ROOT = Path(__file__).resolve().parents[2]


def test_folded_norms_give_the_same_maps():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Sequential(nn.BatchNorm2d(4)))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    images = torch.randn(2, 3, 5, 5)
    expected = network.eval()(images)
    # the last norm follows no convolution
    assert [isinstance(m, nn.BatchNorm2d) for m in fold_norms(network).modules()].count(True) == 1
    torch.testing.assert_close(network(images), expected)


def test_two_networks_take_turns_in_both_backends():
    pytest.importorskip('onnxruntime')
    order = []

    class Noted(nn.Conv2d):
        def forward(self, x):
            order.append(self.kernel_size[0])
            return super().forward(x)

    small, large = Noted(3, 2, 1), Noted(3, 2, 15, padding=7)
    found = time_networks({'small': Timed(small, (8, 8)), 'large': Timed(large, (96, 64))}, rounds=2)
    # the last rounds of torch
    assert order[-4:] == [1, 15, 1, 15]
    assert set(found) == {'small', 'large'}
    for backend in ('torch', 'onnxruntime'):
        times = [found[name][backend] for name in ('small', 'large')]
        assert all(0 <= one['least'] <= one['median'] for one in times)


def test_the_network_of_a_config_is_timed_up_to_its_maps():
    cfg = Config.fromfile(ROOT / 'configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py')
    network, size = network_of_config(cfg)
    assert size == (192, 192) and network(torch.zeros(1, 3, 192, 192)).shape == (1, 28, 48, 48)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_landmarks_of_mediapipe_in_the_order_of_coco():
    # the landmark's number is in each value
    rows = [[float(k), 100.0 + k, k / 100] for k in range(33)]
    joints, scores, found = landmarks_to_coco([None, rows])
    assert found.tolist() == [False, True]
    assert np.isnan(joints[0]).all() and not scores[0].any()
    # numbers as MediaPipe's documentation lists them
    numbers = dict(nose=0, left_eye=2, right_eye=5, left_ear=7, right_ear=8, left_shoulder=11, right_shoulder=12)
    numbers |= dict(left_elbow=13, right_elbow=14, left_wrist=15, right_wrist=16, left_hip=23, right_hip=24)
    numbers |= dict(left_knee=25, right_knee=26, left_ankle=27, right_ankle=28)
    for name, number in numbers.items():
        assert joints[1, COCO.index(name)].tolist() == [number, 100 + number]
        assert scores[1, COCO.index(name)] == number / 100
    assert len(numbers) == len(COCO)


def test_a_crop_is_a_square_around_the_box():
    matrix = crop_matrix([10, 20, 50, 100], 2.0)  # 160 pixels around (30, 60), shown in 512
    corners = matrix @ np.array([[-50, -20, 1], [110, 140, 1], [30, 60, 1]]).T
    np.testing.assert_allclose(corners.T, [[0, 0], [512, 512], [256, 256]])


@needs_data
def test_no_person_of_the_table_loses_pixels_in_the_widest_crop(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    config = cli.load_config(str(ROOT / 'configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py'))
    boxes = [np.asarray(info['bbox'], float).reshape(4) for info in peers.read_split(config, 1).val]
    assert len(boxes) == 1000 and all(crop_matrix(box, 2.5)[0, 0] >= 1 for box in boxes)


def test_persons_not_found_are_counted_and_wrong(tmp_path):
    names = ['left_shoulder', 'right_hip', 'neck']
    meta = dict(keypoint_id2name=dict(enumerate(names)), num_keypoints=3, torso_pair=('left_shoulder', 'right_hip'))
    meta |= dict(keypoint_name2id={name: k for k, name in enumerate(names)}, dataset_name='by hand')
    joints = np.zeros((5, 17, 2))
    for name, place in (('left_shoulder', 2), ('right_shoulder', 2), ('left_ear', 12), ('right_ear', 12)):
        joints[:, COCO.index(name)] = [0, place]
    joints[:, COCO.index('right_hip')] = [0, -8]
    target = np.array([[[0.0, 2], [0, -8], [0, 5]]])  # the neck lies at 0.3 of the line
    infos = [
        dict(id=n, img_id=n, keypoints=target, keypoints_visible=np.ones((1, 3)), bbox=np.array([[0, 0, 20.0, 20]]))
        for n in range(5)
    ]
    joints[0] = joints[3] = np.nan  # one of two persons of the fit, and one of three others
    split = peers.Split(infos[:2], infos[2:], meta)
    evaluator = [dict(type='TorsoPCK', thr=0.2)]
    found = peers.evaluate('mediapipe-full-2.5', joints, np.ones((5, 17)), split, evaluator, tmp_path)
    assert found['not_found'] == 1 and found['persons'] == 3 and found['derived'] == dict(neck=pytest.approx(0.3))
    assert found['metrics']['TorsoPCK@0.2'] == pytest.approx(100 * 2 / 3, abs=0.01)
    written = json.loads((tmp_path / 'mediapipe-full-2.5.json').read_text())
    assert [row['image_id'] for row in written] == [2, 4] and written[0]['keypoints'] == [0, 2, 1, 0, -8, 1, 0, 5, 1]


@pytest.mark.skipif(find_spec('mediapipe') is not None, reason='mediapipe is installed')
def test_without_mediapipe_it_says_how_to_get_it(capfd):
    with pytest.raises(UsageError, match=r'mediapipe_pose\.py .*failed'):
        peers.MediaPipe(sys.executable, None, None).find([], 'full', 1.25)
    assert 'requirements/peers.txt' in capfd.readouterr().err


def test_landmarks_are_kept_for_the_same_persons_only(tmp_path):
    persons = [dict(image='a.jpg', box=[0, 0, 1, 1])]
    kept = dict(persons=persons, crop_side=512, landmarks=[None], milliseconds=[1.0], mediapipe='0')
    (tmp_path / 'landmarks-full-1.25.json').write_text(json.dumps(kept))
    mediapipe = peers.MediaPipe('no-such-python', None, tmp_path)
    assert mediapipe.find(persons, 'full', 1.25) == kept
    with pytest.raises(UsageError, match='--mediapipe no-such-python: No such file'):
        mediapipe.find([dict(persons[0], image='b.jpg')], 'full', 1.25)
    # those of crops of another size
    (tmp_path / 'landmarks-full-1.25.json').write_text(json.dumps(dict(kept, crop_side=256)))
    with pytest.raises(UsageError, match='no-such-python'):
        mediapipe.find(persons, 'full', 1.25)


def test_the_table_has_a_row_for_each_model_with_its_times():
    figure = dict.fromkeys(COLUMNS, 12.34)
    figures = dict(config='configs/a/ours.py', persons=3, figures={'shipped': figure, 'mediapipe-full-2.5': figure})
    times = dict(ours=dict(torch=dict(median=5.0), onnxruntime=dict(median=2.0)))
    results = [dict(model='mediapipe-full-2.5', cpu_milliseconds=7.0, mediapipe='0.10.14')]
    results.append(dict(milliseconds=times, machine=dict(cpu='a CPU', cores=2, python='3.11', torch='2')))
    lines = [
        [cell.strip() for cell in line.strip('|').split('|')] for line in peers_section(results, figures).splitlines()
    ]
    assert ['shipped', *['12.3'] * 7, '5.0', '2.0'] in lines
    assert ['mediapipe-full-2.5', *['12.3'] * 7, '', '7.0'] in lines
    views = dict(persons={'front': 2, 'back': 1}, right_joints={'shipped': {'front': 60.0, 'back': 25.5}})
    assert '| front (2) | back (1) |' in peers_section(results, figures | dict(views=views))
    assert '| shipped |      60.0 |     25.5 |' in peers_section(results, figures | dict(views=views))
    # an earlier run timed another network, elsewhere
    figures['figures']['peer'] = figure
    earlier = dict(milliseconds=dict(peer=times['ours']), machine=dict(results[1]['machine'], cpu='another CPU'))
    text = peers_section([results[0], earlier, results[1]], figures)
    assert [cell.strip() for cell in text.split('| peer ')[1].split('\n')[0].split('|')[8:10]] == ['5.0', '2.0']
    assert 'peer: another CPU, 2 cores' in text and 'ours: a CPU, 2 cores' in text
