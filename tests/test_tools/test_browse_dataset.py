"""The real command on real data: what it writes, and what it says when it cannot."""

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.helpers import data_root, needs_data, repo_root

pytestmark = needs_data

CONFIG = """
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
default_scope = 'mmpose'
codec = dict(type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=2)
pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', prob=1.0),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='RandomOccluder', prob=1.0),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
coco = dict(
    type='CocoDataset', data_root={coco!r}, ann_file='test_coco.json', data_prefix=dict(img=''), pipeline=pipeline)
lspe = dict(
    type='LSPDataset', data_root={lspe!r}, ann_file='joints.mat', id_file='val.txt',
    data_prefix=dict(img='images/'), pipeline=[dict(type='LoadVerifiedImage'), *pipeline[1:]])
train_dataloader = dict(batch_size=2, dataset=coco)
val_dataloader = dict(batch_size=2, dataset=dict(lspe, test_mode=True))
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'my_config.py'
    path.write_text(CONFIG.format(coco=str(data_root() / 'coco-sample'), lspe=str(data_root() / 'lspet-mini')))
    return path


TOOL = repo_root() / 'tools' / 'misc' / 'browse_dataset.py'


@pytest.fixture
def browse(tmp_path, monkeypatch, capsys):
    """Run the tool's own main() in this process, in a folder of its own: an import of everything costs seconds."""
    spec = importlib.util.spec_from_file_location('browse_dataset', TOOL)
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    spec.loader.exec_module(tool)
    monkeypatch.chdir(tmp_path)
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)

    def run(config, *flags, ok=True):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), str(config), *map(str, flags)])
        capsys.readouterr()
        stop = None
        try:
            tool.main()
        except SystemExit as e:
            stop = e.code
        out, err = capsys.readouterr()
        assert (stop is None) == ok, f'{out}{err}{stop}'
        return SimpleNamespace(stdout=out, stderr=err, message=stop)

    return run


def test_the_command_itself(config, tmp_path):
    """In a process of its own, from another folder, with nothing installed."""
    command = [
        sys.executable,
        str(TOOL),
        str(config),
        '--mode',
        'original',
        '--output-dir',
        'out',
        '--max-item-num',
        '2',
    ]
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0 and '2 images in out' in done.stdout, done.stdout + done.stderr
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['000000.png', '000001.png']
    done = subprocess.run([*command, '--show'], capture_output=True, text=True, cwd=tmp_path, env=dict(env, DISPLAY=''))
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith('browse_dataset.py: error: --show needs a display')


def test_original_pictures_of_coco(browse, config, tmp_path):
    done = browse(config, '--mode', 'original', '--output-dir', 'out', '--max-item-num', 4, '--sheet', 2)
    assert '4 images in out' in done.stdout
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [*(f'{i:06d}.png' for i in range(4)), 'sheet.png']
    person = cv2.imread(str(tmp_path / 'out' / '000000.png'))
    photo = cv2.imread(str(data_root() / 'coco-sample' / '000000000785.jpg'))
    # the photograph lies in it unscaled, below the title, and is drawn on
    matched = cv2.matchTemplate(person, photo[:100, :150], cv2.TM_SQDIFF)
    x, y = cv2.minMaxLoc(matched)[2]
    inside = person[y : y + photo.shape[0], x : x + photo.shape[1]]
    unchanged = (inside == photo).all(axis=-1).mean()
    assert 0.9 < unchanged < 0.999


def test_transformed_pictures_are_the_crops_and_a_seed_repeats_them(browse, config, tmp_path):
    for name in ('a', 'b'):
        browse(config, '--output-dir', name, '--max-item-num', 3, '--seed', 1, '--min-side', 0)
    for i in range(3):
        first, second = (cv2.imread(str(tmp_path / name / f'{i:06d}.png')) for name in ('a', 'b'))
        assert 96 <= first.shape[1] <= 110 and 128 < first.shape[0] < 240, 'a crop, a title and a legend'
        np.testing.assert_array_equal(first, second)


def test_pipeline_pictures_go_to_the_default_folder(browse, config, tmp_path):
    flags = ('--mode', 'pipeline', '--phase', 'val', '--max-item-per-dataset', 1, '--not-show')
    done = browse(config, *flags)
    folder = tmp_path / 'work_dirs' / 'browse' / 'my_config' / 'val_pipeline'
    assert '1 image in work_dirs' in done.stdout
    sheet = cv2.imread(str(folder / '000000.png'))
    assert sheet.shape[0] > 2 * 320 and sheet.shape[1] > 4 * 320, 'seven steps in rows of four'


def test_combined_data_sets_in_turn_and_overrides(browse, config, tmp_path):
    extra = """
train_dataloader = dict(dataset=dict(
    type='CombinedDataset', metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
    datasets=[dict(coco, indices=3, pipeline=[]), dict(coco, indices=2, pipeline=[])], pipeline=pipeline))
"""
    config.write_text(config.read_text() + extra)
    for mode in ('original', 'transformed'):
        flags = ('--mode', mode, '--output-dir', mode, '--max-item-per-dataset', 2)
        browse(config, *flags, '--cfg-options', 'train_dataloader.dataset.datasets.0.indices=4')
        assert sorted(p.name for p in (tmp_path / mode).iterdir()) == [f'{i:06d}.png' for i in (0, 1, 4, 5)]


def test_shipped_config(browse, tmp_path):
    config = repo_root() / 'configs' / 'baseline' / 'td-hm_res18_lspet-mini-128x128.py'
    env_root = f'train_dataloader.dataset.data_root={data_root()}/lspet-mini'
    browse(config, '--output-dir', 'out', '--max-item-num', 2, '--cfg-options', env_root)
    assert len(list((tmp_path / 'out').iterdir())) == 2


def test_bad_images_are_named_and_the_others_drawn(browse, config, tmp_path):
    folder = tmp_path / 'coco'
    folder.mkdir()
    for file in (data_root() / 'coco-sample').iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    bad = folder / '000000000785.jpg'
    bad.write_bytes(bad.read_bytes()[:5000])
    cfg_options = ('--cfg-options', f'train_dataloader.dataset.data_root={folder}')
    for mode in ('original', 'transformed'):
        flags = ('--mode', mode, '--output-dir', mode, '--max-item-num', 3)
        done = browse(config, *flags, *cfg_options)
        assert 'sample 0:' in done.stderr and '000000000785.jpg' in done.stderr
        assert '2 images in' in done.stdout and '1 sample not drawn' in done.stdout
    for file in folder.glob('*.jpg'):
        file.unlink()
    done = browse(config, '--output-dir', 'none', *cfg_options, ok=False)
    assert 'could be drawn' in done.message and not (tmp_path / 'none').exists()


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--phase', 'test'], "sets no test_dataloader.dataset; it has one for: ['train', 'val']"),
        (['--show'], '--show needs a display'),
        (['--max-item-num', '0'], '--max-item-num 0, allowed: at least 1'),
        (['--cfg-options', 'train_dataloader.dataset.ann_file=nothing.json'], 'nothing.json'),
        (['--cfg-options', 'train_dataloader.dataset.type=NoDataset'], 'NoDataset'),
        (
            ['--cfg-options', 'train_dataloader.dataset.pipeline=[]'],
            'the pipeline ends in nothing, allowed: PackPoseInputs',
        ),
    ],
)
def test_errors_are_one_line(browse, config, tmp_path, flags, message):
    done = browse(config, *flags, ok=False)
    assert done.message.startswith('browse_dataset.py: error: ') and message in done.message
    assert '\n' not in done.message
    assert not (tmp_path / 'work_dirs').exists()


def test_missing_config(browse):
    assert browse('nowhere.py', ok=False).message.endswith('error: config nowhere.py does not exist')
