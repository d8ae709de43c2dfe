"""Training that is stopped by Ctrl-C, that lacks its data, or that another run stands in the way of."""

import os
import signal
from multiprocessing import active_children
from multiprocessing.connection import wait

import pytest
import torch
from mmengine.hooks import Hook
from mmpose.registry import HOOKS

from posestructs.utils.work_dir_lock import work_dir_lock
from tests.helpers import needs_data

pytestmark = needs_data
STEPS = dict(type='StepLR', step_size=1, gamma=0.5, by_epoch=False)


@HOOKS.register_module()
class PressCtrlC(Hook):
    """Presses Ctrl-C in a step, or sends another signal; to the workers of the data loaders too, as a terminal does."""

    def __init__(self, step, times=1, number=signal.SIGINT, workers=0):
        self.step, self.times, self.number, self.workers = step, times, number, workers

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            children = active_children() if self.workers else []
            assert len(children) == self.workers
            for child in children:
                os.kill(child.pid, self.number)
                assert not wait([child.sentinel], timeout=0.5)
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def write_config(folder, tiny, **changes):
    path = folder / f'{"-".join(changes) or "plain"}.py'
    lines = [f'{key} = {value!r}' for key, value in changes.items()]
    path.write_text('\n'.join([f"_base_ = ['{tiny}']", 'val_cfg = val_dataloader = val_evaluator = None', *lines]))
    return path


def load(path):
    return torch.load(path, weights_only=True)


def test_within_an_epoch(main, tiny, tmp_path, capfd):
    flags = ['--work-dir', tmp_path / 'w', '--seed', 1]
    config = write_config(tmp_path, tiny, param_scheduler=STEPS, custom_hooks=[dict(type='PressCtrlC', step=5)])
    handler = signal.getsignal(signal.SIGINT)  # a background shell ignores it
    with pytest.raises(SystemExit) as stopped:
        main('train.py', config, *flags)
    assert stopped.value.code == 130
    output = capfd.readouterr()
    assert 'after 5 iterations' in output.err and 'Go on with --resume, which repeats epoch 2' in output.err
    assert 'Traceback' not in output.err and 'stopping after this step' in output.out
    assert signal.getsignal(signal.SIGINT) is handler
    content, before = load(tmp_path / 'w' / 'iter_5.pth'), load(tmp_path / 'w' / 'epoch_1.pth')
    assert (content['meta']['epoch'], content['meta']['iter']) == (1, 3)
    # the learning rate of the start of the epoch, and weights of two steps more
    assert content['optimizer']['param_groups'][0]['lr'] == before['optimizer']['param_groups'][0]['lr'] == 1e-3 / 8
    assert not torch.equal(*(each['state_dict']['head.final_layer.weight'] for each in (content, before)))
    assert not list((tmp_path / 'w').glob('.*'))

    main('train.py', write_config(tmp_path, tiny, param_scheduler=STEPS), '--resume', *flags)
    assert 'resumed epoch: 1, iter: 3' in capfd.readouterr().out
    assert load(tmp_path / 'w' / 'epoch_2.pth')['meta']['iter'] == 6


def test_workers_of_the_data_loader_say_nothing(main, tiny, tmp_path, capfd):
    hook = dict(type='PressCtrlC', step=2, workers=1)
    loader = dict(num_workers=1, persistent_workers=True)
    config = write_config(tmp_path, tiny, custom_hooks=[hook], train_dataloader=loader)
    with pytest.raises(SystemExit):
        main('train.py', config, '--work-dir', tmp_path / 'w')
    output = capfd.readouterr()
    assert output.out.count('stopping after this step') == 1 and 'Traceback' not in output.out + output.err
    assert (tmp_path / 'w' / 'iter_2.pth').is_file()


def test_training_by_iterations_goes_on_exactly(main, tiny, tmp_path):
    loops = dict(
        train_cfg=dict(_delete_=True, by_epoch=False, max_iters=5),
        train_dataloader=dict(sampler=dict(type='InfiniteSampler')),
        default_hooks=dict(checkpoint=dict(by_epoch=False, interval=5)),
        log_processor=dict(by_epoch=False),
    )
    straight = write_config(tmp_path, tiny, **loops)
    main('train.py', straight, '--work-dir', tmp_path / 'straight', '--seed', 1)
    pressed = write_config(tmp_path, tiny, custom_hooks=[dict(type='PressCtrlC', step=2)], **loops)
    with pytest.raises(SystemExit):
        main('train.py', pressed, '--work-dir', tmp_path / 'w', '--seed', 1)
    assert (tmp_path / 'w' / 'last_checkpoint').read_text().endswith('iter_2.pth')
    main('train.py', straight, '--work-dir', tmp_path / 'w', '--resume')
    one, other = (load(tmp_path / name / 'iter_5.pth')['state_dict'] for name in ('straight', 'w'))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-7)


def test_sigterm_is_as_ctrl_c(main, tiny, tmp_path, capfd):
    hook = dict(type='PressCtrlC', step=2, number=int(signal.SIGTERM))
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        main('train.py', write_config(tmp_path, tiny, custom_hooks=[hook]), '--work-dir', tmp_path / 'w')
    assert stopped.value.code == 143 and signal.getsignal(signal.SIGTERM) is handler
    output = capfd.readouterr().err
    assert 'stopped by SIGTERM after 2 iterations' in output and 'Go on with --resume' in output
    assert load(tmp_path / 'w' / 'iter_2.pth')['meta']['epoch'] == 0
    assert not list((tmp_path / 'w').glob('.*'))


def test_a_second_press_stops_at_once(main, tiny, tmp_path, capfd):
    config = write_config(tmp_path, tiny, custom_hooks=[dict(type='PressCtrlC', step=2, times=2)])
    with pytest.raises(SystemExit) as stopped:
        main('train.py', config, '--work-dir', tmp_path / 'w')
    assert stopped.value.code == 130 and 'no checkpoint was written' in capfd.readouterr().err
    assert not list((tmp_path / 'w').glob('*.pth'))


@pytest.mark.parametrize(
    'slip, message',
    [
        ('train_cfg.max_epochs=0', 'train_cfg.max_epochs=0, allowed: an integer of at least 1'),
        ('train_cfg.max_epoch=1', "the train loop cannot be built: TypeError: .*'max_epoch'"),
        ('optim_wrapper.optimizer.lr=abc', r"optim_wrapper.optimizer.lr='abc', allowed: a finite number above 0"),
        ('train_dataloader.batch_size=0', 'train_dataloader.batch_size=0, allowed: an integer of at least 1'),
    ],
)
def test_a_slip_in_the_options_is_one_line_and_leaves_nothing(slip, message, main, tiny, tmp_path):
    with pytest.raises(SystemExit, match=f'^train.py: error: .*{message}') as error:
        main('train.py', tiny, '--work-dir', tmp_path / 'w', '--cfg-options', slip)
    assert '\n' not in str(error.value) and not list(tmp_path.iterdir())


def test_a_damaged_annotation_file_is_one_line(main, tiny, tmp_path):
    (tmp_path / 'a.json').write_text('[{"image": ')
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    options = ['--cfg-options', f'test_dataloader.dataset.ann_file={tmp_path}/a.json']
    with pytest.raises(SystemExit, match='^test.py: error: .*MpiiDataset cannot be built: ') as error:
        main('test.py', tiny, tmp_path / 'weights.pth', '--work-dir', tmp_path / 'w', *options)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_missing_data_are_one_line_and_nothing_is_written(tool, main, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    options = ['--cfg-options']
    for phase in ('train', 'val', 'test'):
        options += [f'{phase}_dataloader.dataset.data_root=gone/mpii', f'{phase}_dataloader.num_workers=0']
    words = [tiny] if tool == 'train.py' else [tiny, 'weights.pth']
    with pytest.raises(
        SystemExit, match='error: data: gone/mpii/test_mpii.json does not exist .*POSESTRUCTS_DATA'
    ) as error:
        main(tool, *words, *options)
    assert '\n' not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ['weights.pth']


def test_two_runs_in_one_work_dir(main, tiny, tmp_path):
    with work_dir_lock(tmp_path), pytest.raises(SystemExit, match=f'in use by another run .process {os.getpid()}'):
        main('train.py', tiny, '--work-dir', tmp_path)
    assert not list(tmp_path.iterdir())
