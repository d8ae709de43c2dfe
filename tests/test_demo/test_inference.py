"""The real command on images of its user: what it writes, what it says, and its exit status."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from posestructs.apis import ShippedModel
from tests.helpers import repo_root

COMMAND = repo_root() / 'demo/inference.py'
TINY = repo_root() / 'tests/test_tools/tiny_adversarial-64x64.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('model') / 'tiny.pth'
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(TINY).model).state_dict(), meta={}), path)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in 'abc':
        cv2.imwrite(str(folder / f'{name}.png'), cv2.resize(rng.integers(0, 256, (5, 4, 3), np.uint8), (80, 100)))
    return folder


@pytest.fixture
def demo(monkeypatch, capsys):
    """The command in this process: its output, and the text that it ends with in an error."""

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(COMMAND), *map(str, args)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        error = ''
        try:
            runpy.run_path(str(COMMAND), run_name='__main__')
        except SystemExit as end:
            error = end.code
        return capsys.readouterr().out, error

    return run


def test_a_bad_image_of_a_folder_costs_itself_only(folder, checkpoint, tmp_path):
    (folder / 'b.png').write_bytes(b'not a picture')
    flags = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out', '--device', 'cpu']
    command = [sys.executable, *map(str, [COMMAND, folder, *flags])]
    env = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    assert f'2 persons in 2 images: {tmp_path / "out"}' in done.stdout and '3/3' in done.stdout
    assert done.stderr.splitlines()[-2] == 'inference.py: error: 1 of 3 images were left out:'
    assert done.stderr.splitlines()[-1].startswith(f'  {folder / "b.png"} is not an image that can be read')
    written = sorted(str(file.relative_to(tmp_path / 'out')) for file in (tmp_path / 'out').rglob('*.*'))
    kinds = (('predictions', 'json'), ('visualizations', 'png'))
    assert written == [f'{kind}/{name}.{suffix}' for kind, suffix in kinds for name in 'ac']
    (person,) = json.loads((tmp_path / 'out/predictions/a.json').read_text())
    assert len(person['keypoints']) == len(person['keypoint_scores']) == len(person['keypoints_occluded']) == 14


def test_boxes_and_pictures(demo, folder, checkpoint, tmp_path):
    model = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out']
    out, error = demo(folder / 'a.png', *model, '--bbox', 0, 0, 40, 50, '--bbox', 30, 20, 80, 90, '--draw-heatmap')
    assert not error and '2 persons in 1 image' in out
    assert cv2.imread(str(tmp_path / 'out/visualizations/a.png')).shape == (300, 80, 3)  # heat, occlusion below
    persons = json.loads((tmp_path / 'out/predictions/a.json').read_text())
    assert [person['bbox'] for person in persons] == [[[0, 0, 40, 50]], [[30, 20, 80, 90]]]
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({'a.png': [[0, 0, 40, 50]], 'b.png': []}))
    out, error = demo(folder, *model, '--bbox-file', boxes)
    assert not error and '2 persons in 3 images' in out
    boxes.write_text('[1, 2]')
    assert '--bbox-file' in demo(folder, *model, '--bbox-file', boxes)[1]
    assert 'has no size' in demo(folder, *model, '--bbox', 5, 5, 5, 9)[1]


@pytest.fixture
def walk(tmp_path):
    """A video of three frames, 80 wide and 100 high."""
    writer = cv2.VideoWriter(str(tmp_path / 'walk.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (80, 100))
    for _ in range(3):
        writer.write(np.full((100, 80, 3), 90, np.uint8))
    writer.release()
    return tmp_path / 'walk.mp4'


def test_boxes_of_a_file_for_a_video(demo, walk, checkpoint, tmp_path):
    model = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out']
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({'walk.mp4': [[0, 0, 40, 50], [30, 20, 80, 90]]}))
    out, error = demo(walk, *model, '--bbox-file', boxes)
    assert not error and '6 persons in 3 frames' in out
    boxes.write_text(json.dumps({'other.mp4': [[0, 0, 40, 50]]}))
    assert 'given for other.mp4, allowed for a video: its name, walk.mp4' in demo(walk, *model, '--bbox-file', boxes)[1]


def test_a_box_outside_of_a_video_ends_it(demo, walk, checkpoint, tmp_path):
    model = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out']
    out, error = demo(walk, *model, '--bbox', 800, 0, 900, 50)
    assert error.splitlines() == [
        'inference.py: error: frame 0: bboxes[0]=(800, 0, 900, 50) is outside the image, which is 80 wide and 100 high'
    ]
    assert not list((tmp_path / 'out').rglob('*.*'))


def test_many_bad_images_are_listed_once_and_in_part(demo, folder, checkpoint, tmp_path, caplog):
    for i in range(12):
        (folder / f'bad{i:02d}.png').write_bytes(b'not a picture')
    model = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out']
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    out, error = demo(folder, *model)
    logger.removeHandler(caplog.handler)
    lines = error.splitlines()
    assert lines[0] == 'inference.py: error: 12 of 15 images were left out:' and len(lines) == 12
    assert 'bad09.png is not an image' in lines[10] and lines[11] == '  and 2 more'
    assert caplog.messages and 'bad0' not in out + caplog.text  # other messages come through


def test_the_second_pass_is_chosen_by_a_flag(demo, folder, checkpoint, tmp_path, monkeypatch):
    """Where the crop of a second pass would be is of no matter here: any box is replaced by the same one."""
    crop = np.array([10, 20, 30, 50], np.float32)
    monkeypatch.setattr('posestructs.apis.second_pass.tighter_box', lambda *args: crop)
    whole, given, found = [[0, 0, 80, 100]], [[0, 0, 40, 50]], [[10, 20, 30, 50]]
    for flags, box in (
        ([], found),
        (['--no-second-pass'], whole),
        (['--bbox', 0, 0, 40, 50], given),
        (['--bbox', 0, 0, 40, 50, '--second-pass'], found),
    ):
        args = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out', '--device', 'cpu']
        assert not demo(folder / 'a.png', *args, *flags)[1]
        (person,) = json.loads((tmp_path / 'out/predictions/a.json').read_text())
        assert person['bbox'] == box


def test_the_shipped_model_is_the_default(demo, folder, checkpoint, tmp_path, monkeypatch):
    shipped = dict(tiny=ShippedModel('tiny', TINY, checkpoint, 'for tests'))
    monkeypatch.setattr('posestructs.apis.model_source.shipped_models', lambda: shipped)
    for flags in ([], ['--config', 'tiny']):
        out, error = demo(folder, '--out-dir', tmp_path / 'out', *flags)
        assert not error and '3 persons in 3 images' in out
    monkeypatch.setattr('posestructs.apis.model_source.shipped_models', dict)
    assert 'no trained model is shipped' in demo(folder)[1]


def test_what_cannot_be(demo, folder, checkpoint, tmp_path):
    model = ['--config', TINY, '--checkpoint', checkpoint]
    for args, message in (
        ([folder / 'z.png', *model], 'z.png does not exist'),
        ([tmp_path / 'pictures/..', *model], 'holds no images'),
        ([folder, *model, '--device', 'cuda:99'], "device 'cuda:99': torch finds no such GPU"),
        ([folder, '--checkpoint', checkpoint], 'is given without a config'),
        ([folder, '--config', TINY], 'needs --checkpoint: without one the weights would be random'),
        ([folder, *model, '--out-dir', '/proc/nope'], '--out-dir /proc/nope: cannot be written to'),
        ([folder, *model, '--batch-size', 0], 'batch_size=0, allowed: an integer of at least 1'),
        ([folder, *model, '--out-dir', checkpoint], 'is a file, not a folder'),
        ([folder, *model, '--kpt-thr', 2], 'kpt_thr=2.0, allowed: a number from 0 to 1'),
        ([folder, *model, '--kpt-thr', 'nan'], 'kpt_thr=nan, allowed'),
        ([folder / 'a.png', *model, '--bbox', 0, 0, '1e30', 9], 'allowed: coordinates from'),
        ([folder / '*.xyz', *model], 'no file matches'),
        ([folder / 'a.png', *model, '--track'], 'error: track=True, allowed: for a video'),
        ([folder / 'a.png', *model, '--det-weights', 'w.pth'], 'det_weights=w.pth with det_model=None, allowed'),
    ):
        assert message in demo(*args)[1]


def test_boxes_of_flags_and_a_detector_exclude_each_other(demo, folder, checkpoint, capsys, monkeypatch, tmp_path):
    flags = [folder / 'a.png', '--config', TINY, '--checkpoint', checkpoint, '--bbox', 0, 0, 40, 50]
    monkeypatch.setattr(sys, 'argv', [str(COMMAND), *map(str, flags), '--det-model', 'yolox.onnx'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(COMMAND), run_name='__main__')
    assert 'argument --det-model: not allowed with argument --bbox' in capsys.readouterr().err
    assert not demo(*flags, '--det-model', 'whole_image', '--out-dir', tmp_path / 'out')[1]


def test_several_inputs_and_what_is_said_of_them(demo, folder, checkpoint, tmp_path):
    model = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out']
    out, error = demo(folder / 'a.png', folder / '[bc].png', *model, '--kpt-thr', 1)
    assert not error and '3 persons in 3 images' in out
    assert '3 without a joint of a score of at least 1 (--kpt-thr): not drawn' in out
    (folder / 'deep').mkdir()
    (folder / 'a.png').rename(folder / 'deep' / 'a.png')
    out, error = demo(folder, *model, '--recursive', '--no-flip-test')
    assert not error and '3 persons in 3 images' in out


def test_the_threshold_is_of_probabilities_where_there_are_any():
    from demo.inference import Summary

    persons = [
        dict(keypoint_scores=[0.9, 0.1], keypoints_correct=[0.4, 0.2]),
        dict(keypoint_scores=[0.2, 0.1], keypoints_correct=[0.1, 0.6]),
    ]
    summary = Summary(0.5)
    summary.add(dict(predictions=[persons]))
    assert '1 without a joint of a probability of at least 0.5 (--kpt-thr)' in summary.describe('image', 'out')


def test_weights_that_diverged_give_no_result(demo, folder, checkpoint, tmp_path):
    content = torch.load(checkpoint)
    content['state_dict'] = {
        key: torch.full_like(value, torch.nan) if value.is_floating_point() else value
        for key, value in content['state_dict'].items()
    }
    torch.save(content, tmp_path / 'nan.pth')
    _, error = demo(folder, '--config', TINY, '--checkpoint', tmp_path / 'nan.pth', '--out-dir', tmp_path / 'out')
    assert 'holds NaN or infinity' in error and not (tmp_path / 'out').exists()


def test_a_video_that_is_stopped_by_a_signal_is_complete(folder, checkpoint, tmp_path):
    """As a scheduler or a closed terminal ends it."""
    writer = cv2.VideoWriter(str(tmp_path / 'walk.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (80, 100))
    for _ in range(2000):
        writer.write(np.full((100, 80, 3), 90, np.uint8))
    writer.release()
    flags = ['--config', TINY, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out', '--batch-size', 1]
    command = [sys.executable, *map(str, [COMMAND, tmp_path / 'walk.mp4', *flags])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    partial = tmp_path / 'out/visualizations/walk.partial.mkv'
    while not partial.exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=120)
    assert 'stopped' in out and ' frame' in out and 'Traceback' not in error
    capture = cv2.VideoCapture(str(tmp_path / 'out/visualizations/walk.mp4'))
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rows = json.loads((tmp_path / 'out/predictions/walk.json').read_text())
    assert 0 < frames == len(rows) < 2000 and not partial.exists()
