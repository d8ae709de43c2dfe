"""mmpose's own MPII ResNet-50 config, untouched, through our tools: only data paths and sizes are given."""

import json
import re

import numpy as np
import pytest
import scipy.io
import torch

from tests.helpers import data_root, needs_data, repo_root

pytestmark = needs_data
CONFIG = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_res50_8xb64-210e_mpii-256x256.py'


@pytest.fixture(scope='module')
def options(tmp_path_factory):
    """Data paths, no ImageNet weights (they would be downloaded), and little work."""
    folder = data_root() / 'mpii-sample'
    persons = json.loads((folder / 'test_mpii.json').read_text())
    heads = np.array([[p['joints'][8], p['joints'][9]] for p in persons])  # upper neck, head top
    corners = np.stack([heads.min(1), heads.max(1)])  # what headbox_file wants: (2 corners, x y, persons)
    headbox = tmp_path_factory.mktemp('heads') / 'mpii_gt_val.mat'
    scipy.io.savemat(headbox, dict(headboxes_src=corners.transpose(0, 2, 1)))
    words = ['model.backbone.init_cfg=None', f'train_dataloader.dataset.data_root={folder}']
    words += ['train_dataloader.dataset.ann_file=test_mpii.json', 'train_dataloader.dataset.indices=2']
    words += ['train_dataloader.batch_size=2', 'train_dataloader.num_workers=1']
    words += ['default_hooks.checkpoint.interval=1', 'default_hooks.checkpoint.save_best=None']
    for split in ('val', 'test'):
        data = f'{split}_dataloader.dataset'
        words += [f'{data}.data_root={folder}', f'{data}.ann_file=test_mpii.json', f'{data}.headbox_file={headbox}']
        words += [f'{split}_dataloader.num_workers=1']
    return words


def test_it_trains_saves_resumes_and_tests(main, options, tmp_path, capfd):
    work_dir = tmp_path / 'w'
    first = [*options, 'train_cfg.max_epochs=1']
    main('train.py', CONFIG, '--work-dir', work_dir, '--cfg-options', *first)
    content = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    assert content['meta']['iter'] == 1
    assert len(content['state_dict']) > 300  # ResNet-50

    capfd.readouterr()
    second = [*options, 'train_cfg.max_epochs=2', 'train_cfg.val_interval=1']
    main('train.py', CONFIG, '--work-dir', work_dir, '--resume', '--no-validate', '--cfg-options', *second)
    output = capfd.readouterr().out
    assert 'resumed epoch: 1, iter: 1' in output and 'img/s' in output
    assert torch.load(work_dir / 'epoch_2.pth', weights_only=True, mmap=True)['meta']['iter'] == 2

    out = tmp_path / 'metrics.json'
    checkpoint = work_dir / 'epoch_1.pth'
    main('test.py', CONFIG, checkpoint, '--work-dir', tmp_path / 't', '--out', out, '--cfg-options', *options)
    tested = json.loads(out.read_text())
    log = sorted(work_dir.glob('*/vis_data/scalars.json'))[0].read_text().splitlines()
    validated = json.loads(log[-1])
    assert {k: validated[k] for k in tested} == pytest.approx(tested, abs=1e-4)
    assert {'Head PCK', 'Wrist PCK', 'PCK', 'PCK@0.1'} <= set(tested)


def readme_command() -> list[str]:
    """The words after tools/train.py of the README's command for a config of mmpose."""
    text = (repo_root() / 'README.md').read_text()
    (config,) = re.findall(r'^CONFIG=(mmpose::\S+)$', text, re.MULTILINE)
    (words,) = re.findall(r'^python tools/train.py \$CONFIG (--cfg-options .*)$', text, re.MULTILINE)
    return [config, *words.split()]


def test_the_command_of_the_readme(main, options, tmp_path, monkeypatch):
    """To the letter, in a folder with MPII's layout; settings of a small machine come behind it."""
    persons, heads = (
        data_root() / 'mpii-sample',
        next(word for word in options if 'headbox_file=' in word).split('=')[1],
    )
    folder = tmp_path / 'path' / 'to' / 'mpii'
    (folder / 'annotations').mkdir(parents=True)
    (folder / 'images').symlink_to(persons / 'images')
    for split in ('train', 'val'):
        (folder / 'annotations' / f'mpii_{split}.json').symlink_to(persons / 'test_mpii.json')
    (folder / 'annotations' / 'mpii_gt_val.mat').symlink_to(heads)
    monkeypatch.chdir(tmp_path)
    small = ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=2', 'train_dataloader.dataset.indices=2']
    small += [f'{split}_dataloader.num_workers=0' for split in ('train', 'val')]
    small += [f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val')]
    main('train.py', *readme_command(), *small, 'model.backbone.depth=18', 'model.head.in_channels=512')
    assert (tmp_path / 'work_dirs' / 'td-hm_res50_8xb64-210e_mpii-256x256').is_dir()
