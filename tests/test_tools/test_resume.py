"""A run that is killed at the worst moment, or finds its newest checkpoint spoilt, goes on from the last good one."""

import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers import needs_data, repo_root

pytestmark = needs_data
WIDE = 'model.backbone.base_channels=24'  # 20 MB of weights and Adam state: writing them takes a while
WIDE_HEAD = 'model.head.in_channels=192'


def kill_while_it_writes(command, partial, cwd, env):
    """Start a run, and kill it with SIGKILL as soon as a part of the checkpoint is on disk."""
    with open(cwd / 'killed.log', 'w') as log:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log)
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if partial.exists() and partial.stat().st_size:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    return process.wait()


@pytest.fixture(scope='module')
def killed(tiny, tmp_path_factory, environment):
    """Killed while it wrote its second checkpoint, with one checkpoint to keep: mmengine would have none left."""
    cwd = tmp_path_factory.mktemp('killed')
    options = [WIDE, WIDE_HEAD, 'train_cfg.max_epochs=3', 'default_hooks.checkpoint.max_keep_ckpts=1']
    flags = ['--work-dir', 'w', '--seed', '7', '--no-validate', '--cfg-options', *options]
    command = [sys.executable, str(repo_root() / 'tools' / 'train.py'), str(tiny), *flags]
    partial = cwd / 'w' / '.epoch_2.pth.partial'
    for _ in range(3):  # the write may end just before the signal arrives
        status = kill_while_it_writes(command, partial, cwd, environment())
        if partial.exists():
            break
    assert status == -signal.SIGKILL, (cwd / 'killed.log').read_text()
    return cwd


def test_killed_run_resumes_and_ends_as_if_never_killed(killed, main, tiny, capfd):
    work_dir = killed / 'w'
    assert sorted(f.name for f in work_dir.glob('*.pth')) == ['epoch_1.pth']
    assert (work_dir / '.epoch_2.pth.partial').exists()
    options = ['--no-validate', '--cfg-options', WIDE, WIDE_HEAD, 'train_cfg.max_epochs=3']

    main('train.py', tiny, '--work-dir', work_dir, '--resume', *options)

    output = capfd.readouterr().out
    assert 'resumed epoch: 1, iter: 3' in output
    assert 'removed ' in output and not list(work_dir.glob('.*'))
    main('train.py', tiny, '--work-dir', killed / 'straight', '--seed', 7, *options)
    resumed, straight = (torch.load(d / 'epoch_3.pth', weights_only=True) for d in (work_dir, killed / 'straight'))
    assert resumed['meta']['iter'] == straight['meta']['iter'] == 9
    for name, value in straight['state_dict'].items():
        torch.testing.assert_close(resumed['state_dict'][name], value, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope='module')
def finished(main, tiny, tmp_path_factory):
    """A run of two epochs."""
    work_dir = tmp_path_factory.mktemp('finished') / 'w'
    main('train.py', tiny, '--work-dir', work_dir, '--seed', 1, '--no-validate')
    return work_dir


@pytest.fixture
def run_of_two(finished, tmp_path):
    work_dir = tmp_path / 'w'
    shutil.copytree(finished, work_dir)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))
    return work_dir


@pytest.mark.parametrize('pointer', ['as written', 'emptied by the kill', 'lost'])
def test_truncated_newest_checkpoint_is_passed_over(pointer, run_of_two, main, tiny, capfd):
    newest = run_of_two / 'epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    if pointer == 'lost':
        (run_of_two / 'last_checkpoint').unlink()
    elif pointer == 'emptied by the kill':
        (run_of_two / 'last_checkpoint').write_text('')

    main('train.py', tiny, '--work-dir', run_of_two, '--resume', '--no-validate')

    output = capfd.readouterr().out
    assert f'checkpoint {newest} is skipped: it is truncated' in output
    assert 'resumed epoch: 1, iter: 3' in output
    assert torch.load(newest, weights_only=True)['meta']['iter'] == 6


def test_moved_work_dir_resumes(run_of_two, main, tiny, tmp_path, capfd):
    run_of_two.rename(tmp_path / 'moved')
    flags = ['--resume', '--no-validate', '--cfg-options', 'train_cfg.max_epochs=3']
    main('train.py', tiny, '--work-dir', tmp_path / 'moved', *flags)
    assert 'resumed epoch: 2, iter: 6' in capfd.readouterr().out
    assert (tmp_path / 'moved' / 'epoch_3.pth').is_file() and not run_of_two.exists()


def test_resume_from_a_named_checkpoint(finished, main, tiny, tmp_path, capfd):
    main('train.py', tiny, '--work-dir', tmp_path / 'b', '--resume', finished / 'epoch_1.pth', '--no-validate')
    assert 'resumed epoch: 1, iter: 3' in capfd.readouterr().out
    assert [f.name for f in (tmp_path / 'b').glob('*.pth')] == ['epoch_2.pth']
    again, straight = (torch.load(d / 'epoch_2.pth', weights_only=True) for d in (tmp_path / 'b', finished))
    for name, value in straight['state_dict'].items():
        torch.testing.assert_close(again['state_dict'][name], value, rtol=1e-4, atol=1e-6)


FIGURES = """
_base_ = ['{tiny}']
crop = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale')]
encode = [dict(type='TopdownAffine', input_size=(64, 64)), dict(type='GenerateTarget', encoder={{{{_base_.codec}}}})]
augment = [dict(type='RandomFlip', prob=0.5), dict(type='RandomBBoxTransform')]
model = dict(head=dict(out_channels=14), neck=dict(type='DropoutNeck'))
train_dataloader = dict(
    num_workers={workers},
    persistent_workers={workers} > 0,
    dataset=dict(
        _delete_=True,
        type='StickFigureDataset',
        num_samples=6,
        image_size=64,
        pipeline=[*crop, *augment, *encode, dict(type='PackPoseInputs')],
    ),
)
"""


@MODELS.register_module()
class DropoutNeck(torch.nn.Module):
    """Draws random numbers in a training step, as several layers and losses do."""

    def forward(self, features):
        return tuple(torch.nn.functional.dropout(feature, 0.3, self.training) for feature in features)


@pytest.mark.parametrize('workers', [0, 1])
def test_resumed_augmentation_and_dropout_are_those_of_a_straight_run(workers, main, tiny, tmp_path):
    config = tmp_path / 'figures.py'
    config.write_text(FIGURES.format(tiny=tiny, workers=workers))
    options = ['--no-validate', '--cfg-options', 'optim_wrapper.optimizer.type=SGD']
    main('train.py', config, '--work-dir', tmp_path / 'straight', '--seed', 5, *options, 'train_cfg.max_epochs=2')
    main('train.py', config, '--work-dir', tmp_path / 'w', '--seed', 5, *options, 'train_cfg.max_epochs=1')
    torch.rand(7)  # another process has other random states
    main('train.py', config, '--work-dir', tmp_path / 'w', '--resume', *options, 'train_cfg.max_epochs=2')
    resumed, straight = (torch.load(tmp_path / d / 'epoch_2.pth', weights_only=True) for d in ('w', 'straight'))
    for name, value in straight['state_dict'].items():
        torch.testing.assert_close(resumed['state_dict'][name], value, rtol=1e-5, atol=1e-7)


def test_a_resumed_run_with_another_batch_size_is_refused(finished, main, tiny, tmp_path):
    flags = ['--work-dir', tmp_path / 'w', '--no-validate']
    more = ['--cfg-options', 'train_dataloader.batch_size=5', 'train_cfg.max_epochs=3']
    with pytest.raises(SystemExit, match='an epoch of the checkpoint has 3 iterations, one of this run 1.*--load-from'):
        main('train.py', tiny, '--resume', finished / 'epoch_2.pth', *flags, *more)
    main('train.py', tiny, '--load-from', finished / 'epoch_2.pth', *flags, *more[:2], 'train_cfg.max_epochs=1')
    assert torch.load(tmp_path / 'w' / 'epoch_1.pth', weights_only=True)['meta']['iter'] == 1
