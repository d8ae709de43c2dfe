"""Every config through ``tools/train.py`` and ``tools/test.py``, as the README calls them."""

from __future__ import annotations

import json
import math
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from posestructs.utils.nested import walk_dicts
from tests.helpers import repo_root
from tests.helpers.shrink import shrink, types_of
from tests.helpers.tiny_data import place_data
from tests.helpers.tools import run_main

ROOT = repo_root() / 'configs'
NAMES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
# a schedule by iterations, discriminators, a part tree with several data sets, both methods, configs of mmpose
OF_EACH_KIND = (
    'baseline/td-hm_res50_mpii-256x256.py',
    'structured_feature/sfl-release_fcnvgg_lspet-336x336.py',
    'adversarial_posenet/apn_4x512_lsp-256x256.py',
    'adversarial_posenet/apn_2x256_mpii-256x256_single-task.py',
    'hybrid/apn-tree_hrnet-w32_coco-256x192.py',
    'hybrid/apn-tree_2x56_stick-figure-64x64.py',
)
# images of the papers' sizes, in configs that differ in more than a switch
FULL_SIZE = [
    name
    for name in NAMES
    if ('256x' in name or '224x' in name or 'x336' in name or 'x448' in name)
    and name.rpartition('_')[2].partition('-')[0] in ('mpii', 'lsp', 'lspet', 'coco', 'flic', 'freihand')
]
NO_WEIGHTS = ('--cfg-options', 'model.backbone.init_cfg=None', 'load_from=None')


def few_persons(dataset: MutableMapping[str, Any], count: int) -> None:
    """Leave the first few samples of a data set, or of each of several."""
    parts = dataset.get('datasets', [dataset])
    for part in parts:
        part['num_samples' if part['type'] == 'StickFigureDataset' else 'indices'] = max(2, count // len(parts))


def shorten(config: Config, batch_size: int) -> None:
    """Train for two iterations, then validate; by epochs or by iterations, as the config does."""
    for part in ('train', 'val', 'test'):
        loader = config[f'{part}_dataloader']
        loader.update(batch_size=batch_size, num_workers=0, persistent_workers=False)
        few_persons(loader.dataset, 2 * batch_size if part == 'train' else batch_size)
    count = dict(max_epochs=1) if config.train_cfg.by_epoch else dict(max_iters=2)
    config.train_cfg.update(val_interval=2 if 'max_iters' in count else 1, **count)
    config.default_hooks.checkpoint.interval = config.train_cfg.val_interval
    config.default_hooks.logger.interval = 1


def write(config: Config, path: Path) -> Path:
    """Write a resolved config as a file that reads no other file."""
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in config.to_dict().items()))
    return path


def logged(work_dir: Path) -> list[dict]:
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def train_and_test(config: Config, folder: Path) -> None:
    """Run both commands; losses are finite, each network is updated, and both report the same metrics."""
    path, work_dir = write(config, folder / 'config.py'), folder / 'work_dir'
    run_main('train.py', path, '--work-dir', work_dir, *NO_WEIGHTS)
    rows = logged(work_dir)
    losses = [row for row in rows if 'loss' in row]
    assert len(losses) >= 2 and all(math.isfinite(row[key]) for row in losses for key in row if 'loss' in key)
    # of the generator, which the largest configs have shown to explode in the second step
    assert losses[1]['loss'] < 3 * losses[0]['loss']
    optimizers = {name for name, part in config.optim_wrapper.items() if isinstance(part, dict) and 'optimizer' in part}
    # a recipe leaves a discriminator of its base out, not its optimizer
    absent = {name for name, part in (config.model.get('discriminators') or {}).items() if part is None}
    assert {f'loss_adv_{name}' for name in optimizers - absent - {'generator'}} <= losses[0].keys()

    checkpoint = next(work_dir.glob('epoch_1.pth'), None) or work_dir / 'iter_2.pth'
    assert torch.load(checkpoint, weights_only=True)['state_dict']
    run_main('test.py', path, checkpoint, '--work-dir', folder / 'test', '--out', folder / 'metrics.json')
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert metrics and all(math.isfinite(value) for value in metrics.values())


def check_small(name, load_config, tiny_folder, folder):
    full = load_config(name)
    small = shrink(full, tiny_folder)
    assert types_of(small) == types_of(full)
    shorten(small, batch_size=2)
    train_and_test(small, folder)


@pytest.mark.parametrize('name', OF_EACH_KIND)
def test_a_config_of_each_kind_trains_and_tests(name, load_config, tiny_folder, tmp_path):
    check_small(name, load_config, tiny_folder, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted({*NAMES} - {*OF_EACH_KIND}))
def test_every_other_config_trains_and_tests(name, load_config, tiny_folder, tmp_path):
    check_small(name, load_config, tiny_folder, tmp_path)


@pytest.mark.slow
@pytest.mark.xdist_group('full width')  # minutes, beside the others
@pytest.mark.parametrize('name', FULL_SIZE)
def test_a_config_of_full_width_trains_and_tests(name, load_config, tiny_folder, tmp_path):
    config = load_config(name)
    for part in ('train', 'val', 'test'):
        place_data(config[f'{part}_dataloader'].dataset, tiny_folder)
        for metric in walk_dicts(config[f'{part}_evaluator']) if part != 'train' else ():
            if 'ann_file' in metric:
                metric['ann_file'] = (
                    config[f'{part}_dataloader'].dataset.data_root + config[f'{part}_dataloader'].dataset.ann_file
                )
    shorten(config, batch_size=1)
    train_and_test(config, tmp_path)
