"""Adversarial training through the tools: schedules, clipping, EMA, resuming, ranks; what mmpose's tools see of it."""

import runpy
import sys
from pathlib import Path

import cv2
import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model
from mmpose.registry import DATASETS, HOOKS

from tests.helpers import free_port

pytestmark = pytest.mark.xdist_group('ports')
TINY = Path(__file__).parent / 'tiny_networks-64x64.py'
SEED = ('--seed', 3)


def load(path):
    return torch.load(path, weights_only=True)


def assert_same(one, other, where='', **tolerance):
    """Nested states, number by number."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f'{where}.{key}', **tolerance)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f'{where}[{i}]', **tolerance)
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(other, one, msg=lambda m: f'{where}: {m}', **tolerance)
    else:
        assert one == (pytest.approx(other) if isinstance(one, float) else other), where


STATES = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


@pytest.fixture(scope='module')
def straight(main, tmp_path_factory):
    """A run of three epochs of four iterations."""
    work_dir = tmp_path_factory.mktemp('adversarial') / 'straight'
    main('train.py', TINY, '--work-dir', work_dir, *SEED)
    return work_dir


@pytest.fixture(scope='module')
def checkpoint(straight):
    return straight / 'epoch_3.pth'


def test_log_has_each_network(straight, scalars):
    rows = [row for row in scalars(straight) if 'loss' in row]
    assert len(rows) == 12
    for name in ('pose', 'confidence'):
        for term in ('loss_real', 'loss_fake', 'score_real', 'score_fake', 'acc_real', 'acc_fake', 'share_right', 'lr'):
            assert all(np.isfinite(row[f'{name}.{term}']) for row in rows)
        assert all(0 <= row[f'{name}.{t}'] <= 1 for row in rows for t in ('score_real', 'acc_fake', 'share_right'))
    assert rows[-1]['loss_kpt'] < rows[0]['loss_kpt']
    # clipped apart, each under its own name
    assert all(row['generator.grad_norm'] > 0 and row['confidence.grad_norm'] > 0 for row in rows)
    assert not any('pose.grad_norm' in row or 'grad_norm' in row for row in rows)


def test_schedule_per_network(straight, scalars):
    rows = [row for row in scalars(straight) if 'loss' in row][::4]
    assert [row['generator.lr'] for row in rows] == pytest.approx([1e-3, 1e-4, 1e-5])
    assert [row['pose.lr'] for row in rows] == pytest.approx([5e-4, 2.5e-4, 1.25e-4])
    assert [row['confidence.lr'] for row in rows] == pytest.approx([2e-3] * 3)


def test_stopped_and_resumed_equals_straight(straight, main, tmp_path, capfd):
    main('train.py', TINY, '--work-dir', tmp_path, '--resume', straight / 'epoch_1.pth')
    assert 'resumed epoch: 1, iter: 4' in capfd.readouterr().out
    one, other = load(straight / 'epoch_3.pth'), load(tmp_path / 'epoch_3.pth')
    for key in STATES:
        assert_same(one[key], other[key], key, rtol=1e-5, atol=1e-7)
    assert set(one['optimizer']) == set(one['param_schedulers']) == {'generator', 'pose', 'confidence'}
    assert any(name.startswith('module.discriminators.pose.') for name in one['ema_state_dict'])
    # the averaged weights are not those that are trained, so that both had to be resumed
    before = load(straight / 'epoch_1.pth')
    name = 'backbone.stem.0.weight'
    assert not torch.equal(one['state_dict'][name], one['ema_state_dict'][f'module.{name}'])
    assert not torch.equal(one['state_dict'][name], before['state_dict'][name])


@pytest.mark.skipif(torch.cuda.is_available(), reason='about ranks without a GPU')
def test_two_ranks_equal_one_process(straight, command, tmp_path):
    """The config names no wrapper: the model does."""
    options = ['train_dataloader.batch_size=1', 'train_cfg.max_epochs=1']
    flags = ['--work-dir', tmp_path / 'w', *SEED, '--no-validate', '--cfg-options', *options]
    done = command('dist_train.sh', TINY, 2, *flags, cwd=tmp_path, PORT=str(free_port()))
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = load(straight / 'epoch_1.pth'), load(tmp_path / 'w' / 'epoch_1.pth')
    assert list(one['state_dict']) == list(two['state_dict'])
    assert one['meta']['iter'] == two['meta']['iter'] == 4
    for key in ('state_dict', 'ema_state_dict'):
        assert_same(one[key], two[key], key, rtol=1e-4, atol=1e-5)  # float32; exact in test_network_ddp.py


class SpoilWeights(Hook):
    """Makes a weight of a network infinite before an iteration."""

    def __init__(self, network, iteration):
        self.network, self.iteration = network, iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.iteration:
            with torch.no_grad():
                next(runner.model.networks()[self.network].parameters()).fill_(torch.inf)


@pytest.mark.parametrize(
    'network, reported',
    [
        ('generator', 'loss_kpt of network generator is nan'),
        (
            'pose',
            'loss_real of network pose is nan; loss_fake of network pose is nan; loss_adv_pose of network generator',
        ),
        ('confidence', 'loss_real of network confidence is nan; loss_fake of network confidence is nan'),
    ],
)
def test_loss_that_is_no_number_stops(network, reported, main, tmp_path):
    if 'SpoilWeights' not in HOOKS:
        HOOKS.register_module(module=SpoilWeights)
    config = tmp_path / 'spoilt.py'
    config.write_text(
        f'_base_ = [{str(TINY)!r}]\n'
        f"custom_hooks = [*_base_.custom_hooks, dict(type='SpoilWeights', network={network!r}, iteration=6)]\n"
    )
    options = ['--cfg-options', 'default_hooks.checkpoint.max_keep_ckpts=1']
    with pytest.raises(SystemExit, match=rf'^train.py: error: iteration 6: .*{reported}.* is {tmp_path}/w/epoch_1.pth'):
        main('train.py', config, '--work-dir', tmp_path / 'w', *SEED, '--no-validate', *options)
    assert [f.name for f in (tmp_path / 'w').glob('*.pth')] == ['epoch_1.pth']
    assert all(value.isfinite().all() for value in load(tmp_path / 'w' / 'epoch_1.pth')['state_dict'].values())


# ------------------------------------------------------------------------------- what mmpose's tools see of it


def generator_of(checkpoint):
    return {n: v for n, v in load(checkpoint)['state_dict'].items() if not n.startswith('discriminators.')}


@pytest.fixture
def config():
    return Config.fromfile(str(TINY))


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    sample = DATASETS.build(dict(type='StickFigureDataset', num_samples=1, image_size=64, pipeline=[]))[0]
    file = tmp_path_factory.mktemp('image') / 'person.png'
    cv2.imwrite(str(file), sample['img'])
    return file


def test_init_model_has_the_generator_only(config, checkpoint, image):
    model = init_model(config, str(checkpoint), device='cpu')
    weights = generator_of(checkpoint)
    assert model.discriminators is None and model.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    found = inference_topdown(model, str(image), [[0, 0, 64, 64]])[0].pred_instances
    assert found.keypoints.shape == (1, 14, 2) and found.keypoints_occluded.shape == (1, 14)
    assert (0 <= found.keypoints_occluded).all() and (found.keypoints_occluded <= 1).all()


def test_inferencer(checkpoint, image):
    inferencer = MMPoseInferencer(
        pose2d=str(TINY), pose2d_weights=str(checkpoint), det_model='whole_image', device='cpu'
    )
    assert inferencer.inferencer.model.discriminators is None
    persons = next(inferencer(str(image)))['predictions'][0]
    assert len(persons) == 1 and np.shape(persons[0]['keypoints']) == (14, 2)


def test_test_tool(straight, checkpoint, main, tmp_path, scalars, capfd):
    main('test.py', TINY, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'out.json')
    printed = capfd.readouterr().out
    assert 'unexpected key' not in printed and 'missing keys' not in printed
    metric = 'TorsoPCK@0.2'
    logged = [row[metric] for row in scalars(straight) if metric in row][-1]
    assert Config.fromfile(str(tmp_path / 'out.json'))[metric] == pytest.approx(logged)


def test_get_flops_counts_the_generator(config, monkeypatch, capsys):
    """mmpose's own script, on the config as it is."""
    script = Path(mmpose.__file__).parent / '.mim' / 'tools' / 'analysis_tools' / 'get_flops.py'
    monkeypatch.setattr(sys, 'argv', list(map(str, [script, TINY, '--input-shape', 64, 64])))
    runpy.run_path(str(script), run_name='__main__')
    printed = capsys.readouterr().out
    parameters = sum(p.numel() for p in init_model(config, device='cpu').parameters())
    assert f'Params: {parameters / 1e3:.3f}K' in printed
    assert 'backbone' in printed and 'discriminators' not in printed


@pytest.mark.gpu
def test_mixed_precision(main, tmp_path, scalars):
    main('train.py', TINY, '--work-dir', tmp_path, '--amp', *SEED, '--cfg-options', 'train_cfg.max_epochs=2')
    optimizer = load(tmp_path / 'epoch_2.pth')['optimizer']
    assert {name: state['loss_scaler']['scale'] > 0 for name, state in optimizer.items()} == {
        'generator': True,
        'pose': True,
        'confidence': True,
    }
    rows = [row for row in scalars(tmp_path) if 'loss' in row]
    assert rows[-1]['loss_kpt'] < rows[0]['loss_kpt']
