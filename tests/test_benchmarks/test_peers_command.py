"""benchmarks/peers.py on MPII, whose joints COCO lacks in part, on figures without files, and its errors."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import peers
from benchmarks.peer_models.derived_joints import COCO
from benchmarks.peer_models.movenet import predict
from benchmarks.peer_models.persons import image_files
from posestructs.utils import cli
from posestructs.utils.usage import UsageError
from tests.helpers import data_root, needs_data, repo_root
from tests.helpers.movenet_files import write_movenets

MPII = repo_root() / 'tests' / 'test_tools' / 'tiny_mpii-64x64.py'
FIGURES = repo_root() / 'configs' / 'demo' / 'td-hm_res18-small_stick-figure-64x64.py'
NOT_OF_COCO = ['pelvis', 'thorax', 'upper_neck']


@pytest.fixture(scope='module')
def movenets(tmp_path_factory):
    """Folder of both MoveNets with random weights."""
    return write_movenets(tmp_path_factory.mktemp('movenet'))


@pytest.fixture
def mpii(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    return cli.load_config(str(MPII))


def measure(config, folder, predictions):
    args = argparse.Namespace(fit_persons=3, mediapipe=None, predictions=predictions)
    return list(peers.measure(config, peers.read_movenets(folder), args))


class BrightestPixel(nn.Module):
    """All 17 joints at the brightest pixel."""

    size = 64

    def forward(self, images):
        best = images.sum(1).flatten(1).argmax(1)
        place = torch.stack([best % self.size, best // self.size, torch.ones_like(best)], 1)
        return place[:, None].expand(-1, 17, 3).float()


def test_joints_are_found_where_the_image_shows_them(tmp_path):
    image = np.zeros((90, 120, 3), np.uint8)
    cv2.circle(image, (70, 40), 2, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    box = np.array([[50.0, 20, 80, 60]])
    persons = [
        dict(img_path='no such file', img=image, bbox=box),
        dict(img_path=str(tmp_path / 'image.png'), bbox=box + 7),
    ]
    joints, scores = predict(BrightestPixel(), persons)
    assert joints.shape == (2, 17, 2) and (scores == 1).all()
    np.testing.assert_allclose(joints, np.broadcast_to([70, 40], joints.shape), atol=2.5)


def test_rendered_images_get_files_and_others_keep_theirs(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    infos = [dict(img_path='figure/1', img=image) for image in (*images, images[0])] + [dict(img_path='/a/b.jpg')]
    first, second, again, file = image_files(infos, tmp_path / 'images')
    assert file == '/a/b.jpg' and first == again != second
    assert all(np.array_equal(cv2.imread(path), image) for path, image in zip((first, second), images, strict=True))


@needs_data
def test_joints_that_coco_lacks_do_not_count(mpii):
    split = peers.read_split(mpii, 5)
    persons, names = [*split.fit, *split.val], split.names
    truth = np.concatenate([info['keypoints'] for info in persons])
    joints = np.zeros((len(persons), 17, 2))
    for name in set(COCO) & set(names):
        joints[:, COCO.index(name)] = truth[:, names.index(name)]
    shoulders = joints[:, [COCO.index('left_shoulder'), COCO.index('right_shoulder')]].mean(1)
    # the ears' middle is halfway to the head top
    middle = (shoulders + truth[:, names.index('head_top')]) / 2
    joints[:, COCO.index('left_ear')] = joints[:, COCO.index('right_ear')] = middle
    found = peers.evaluate('perfect', joints, np.ones((len(persons), 17)), split, mpii.val_evaluator)
    assert found['left_out'] == NOT_OF_COCO and found['derived'] == dict(head_top=pytest.approx(2))
    assert found['metrics'] == dict(PCK=1.0, EPE=pytest.approx(0, abs=1e-3))
    json.dumps(found)


@needs_data
def test_mpii_is_scored_on_the_joints_that_both_have(mpii, movenets, tmp_path, capsys):
    found = measure(mpii, movenets, tmp_path)
    assert capsys.readouterr().err.startswith(
        'joints left out, as peers do not have them: pelvis, thorax, upper_neck\n'
    )
    assert [result['model'] for result in found] == ['movenet-lightning', 'movenet-thunder']
    for result in found:
        assert result['left_out'] == NOT_OF_COCO and list(result['derived']) == ['head_top']
        assert result['persons'] == 5 and result['not_found'] == 0 and np.isfinite(result['metrics']['EPE'])
    (person, *_) = json.loads((tmp_path / 'movenet-lightning.json').read_text())
    joints = np.reshape(person['keypoints'], (16, 3))
    assert not joints[6:9].any() and (joints[[*range(6), *range(9, 16)], 2] > 0).all()


def test_figures_without_files_are_rendered(movenets, tmp_path):
    config = cli.load_config(str(FIGURES))
    for part in ('train', 'val'):
        config[f'{part}_dataloader'].dataset.num_samples = 6
    for result in measure(config, movenets, tmp_path):
        assert result['persons'] == 6 and 'left_out' not in result and set(result['derived']) == {'neck', 'head_top'}
        assert result['metrics']['TorsoPCK@0.2/people'] == 6


def test_data_without_joints_of_coco_are_refused_before_anything_runs():
    config = cli.load_config(str(FIGURES))
    info = dict(
        dataset_name='no limbs',
        paper_info={},
        keypoint_info={0: dict(name='pelvis', id=0, color=[0, 0, 0], type='', swap='')},
        skeleton_info={},
        joint_weights=[1.0],
        sigmas=[0.1],
    )
    for part in ('train', 'val'):
        config[f'{part}_dataloader'].dataset.update(num_samples=2, metainfo=info)
    with pytest.raises(UsageError, match=r"val_dataloader.dataset has the joints \['pelvis'\], allowed: .*nose"):
        peers.read_split(config, 2)


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['benchmarks/peers.py', *map(str, words)])
    peers.main()


@needs_data
def test_times_join_the_results_of_a_file(mpii, monkeypatch, tmp_path):
    pytest.importorskip('onnxruntime')
    out = tmp_path / 'peers.json'
    machine = dict(cpu='a CPU')
    kept = [dict(model='movenet-lightning', persons=5), dict(milliseconds=dict(other={}), machine=machine)]
    out.write_text(json.dumps(kept))
    run(monkeypatch, MPII, '--speed-only', '--out', out, '--rounds', 1)
    *earlier, last = json.loads(out.read_text())
    assert earlier == kept and list(last['milliseconds']) == ['tiny_mpii-64x64']


@pytest.mark.parametrize(
    'words, message',
    [
        (['--out', 'new.json'], 'nothing to measure: give --movenet FOLDER, --mediapipe PYTHON or --speed-only'),
        (['--movenet', 'gone'], '--movenet gone: gone/movenet-lightning.json: No such file or directory'),
        (['--movenet', 'cut'], '--movenet cut: movenet-thunder.bin has 1000 bytes, movenet-thunder.json describes'),
        (['--movenet', 'text'], '--movenet text: text/movenet-lightning.json: not the model.json'),
        (['--mediapipe', 'gone/python'], '--mediapipe gone/python: no such program, allowed: an interpreter'),
        (['--speed-only', '--out', 'other.json'], '--out other.json: not a file of results'),
        (['--speed-only', '--out', 'cut'], '--out cut: is a folder, allowed: a file'),
        (['--movenet', 'cut', '--predictions', 'other.json'], '--predictions other.json: cannot be written to'),
        (['--report', 'page.md', 'figures.json'], '--report reads --out FILE'),
        (['--report', 'page.md', 'figures.json', '--out', 'empty.json'], '--out holds no times'),
        (['--report', 'page.md', 'gone.json', '--out', 'empty.json'], '--report gone.json: No such file'),
        (['--report', 'page.md', 'figures.json', '--out', 'gone.json'], '--out gone.json: No such file'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_errors_are_one_line_and_change_nothing(words, message, movenets, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path('other.json').write_text('{}')
    Path('empty.json').write_text('[]')
    Path('figures.json').write_text('{}')
    shutil.copytree(movenets, 'cut')
    Path('cut/movenet-thunder.bin').write_bytes(b'\0' * 1000)
    Path('text').mkdir()
    Path('text/movenet-lightning.json').write_text('no model')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(SystemExit, match=f'^peers.py: error: {message}[^\n]*$') as error:
        run(monkeypatch, FIGURES, *words)
    assert isinstance(error.value.code, str) and sorted(tmp_path.rglob('*')) == before
