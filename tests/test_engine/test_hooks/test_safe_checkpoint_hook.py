"""Real runs: what is written loads under weights_only=True and resumes with the same history."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint
from torch.utils.data import Dataset

from posestructs.engine.hooks import SafeCheckpointHook


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x, y, mode='loss'):
        return dict(loss=((torch.stack(x) @ self.weight - torch.stack(y)) ** 2).mean())


class Points(Dataset):
    metainfo = dict(
        colors=np.array([[1, 2, 3]], np.uint8), names=np.array(['a', 'bc']), sigmas=np.array([0.5]), name='p'
    )

    def __len__(self):
        return 8

    def __getitem__(self, i):
        x = torch.tensor([i / 8, 1.0])
        return dict(x=x, y=x.sum())


def runner(work_dir, epochs, resume=False, safe=True, load_from=None):
    # a hub of its own, as in a new process
    MessageHub._instance_dict.clear()
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=Points(), batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        # mmengine stores where a schedule ends: without `end` it would be the shorter run's
        param_scheduler=dict(type='StepLR', step_size=1, gamma=0.5, end=10),
        custom_hooks=[SafeCheckpointHook()] if safe else [],
        default_hooks=dict(checkpoint=CheckpointHook(interval=1)),
        resume=resume,
        load_from=load_from,
        experiment_name=f'{work_dir.name}-{epochs}-{resume}',
    )


def history(run):
    return {
        k: [v.tolist() for v in buffer.data] for k, buffer in run.message_hub.log_scalars.items() if 'time' not in k
    }


def test_resume_equals_a_straight_run(tmp_path):
    straight = runner(tmp_path / 'straight', 3)
    straight.train()
    runner(tmp_path / 'resumed', 2).train()

    saved = torch.load(tmp_path / 'resumed' / 'epoch_2.pth', weights_only=True)
    assert torch.equal(saved['meta']['dataset_meta']['colors'], torch.tensor([[1, 2, 3]], dtype=torch.uint8))

    resumed = runner(tmp_path / 'resumed', 3, resume=True)
    resumed.train()
    assert history(resumed) == history(straight)
    assert len(history(resumed)['train/loss'][0]) == 12  # 4 iterations in each of 3 epochs
    assert torch.equal(resumed.model.weight, straight.model.weight)
    for key, value in straight.message_hub.runtime_info.items():
        if key in ('epoch', 'iter', 'max_epochs', 'max_iters', 'loop_stage'):
            assert resumed.message_hub.get_info(key) == value
    meta = resumed.message_hub.get_info('dataset_meta')
    for key in ('colors', 'names', 'sigmas'):
        np.testing.assert_array_equal(meta[key], Points.metainfo[key])
        assert meta[key].dtype == Points.metainfo[key].dtype


class Odd:
    """An object of a user's own, in the checkpoint of a hook."""


class OddHook(Hook):
    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['mine'] = Odd()


def test_a_checkpoint_of_plain_mmengine_resumes(tmp_path):
    """Its log histories and arrays are rebuilt from their data."""
    first = runner(tmp_path / 'unsafe', 1, safe=False)
    first.train()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'unsafe' / 'epoch_1.pth', weights_only=True)
    again = runner(tmp_path / 'again', 2, resume=True, load_from=str(tmp_path / 'unsafe' / 'epoch_1.pth'))
    again.train()
    assert len(history(again)['train/loss'][0]) == 8
    assert history(again)['train/loss'][0][:4] == history(first)['train/loss'][0]


def test_an_unsafe_file_says_how_to_opt_in(tmp_path, monkeypatch):
    first = runner(tmp_path / 'unsafe', 1, safe=False)
    first.register_hook(OddHook())
    first.train()
    path = tmp_path / 'unsafe' / 'epoch_1.pth'
    again = runner(tmp_path / 'again', 2, resume=True, load_from=str(path))
    with pytest.raises(
        pickle.UnpicklingError, match='Odd.*was not loaded.*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1'
    ) as error:
        again.train()
    assert str(path) in str(error.value)

    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    again = runner(tmp_path / 'again', 2, resume=True, load_from=str(path))
    again.train()
    monkeypatch.delenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')
    assert len(history(again)['train/loss'][0]) == 8
    torch.load(tmp_path / 'again' / 'epoch_2.pth', weights_only=True)  # the file written next is safe


def test_a_truncated_file_is_named(tmp_path):
    runner(tmp_path / 'run', 1).train()
    path = tmp_path / 'run' / 'epoch_1.pth'
    path.write_bytes(path.read_bytes()[:-100])
    again = runner(tmp_path / 'again', 2, resume=True, load_from=str(path))
    with pytest.raises(RuntimeError, match=f'{path} is truncated or not a torch checkpoint'):
        again.train()


class NumpyHook(Hook):
    """Keeps an array and a schedule of its own in the checkpoint, as a user's hook may."""

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['mine'] = dict(curve=np.arange(3.0), best=np.float32(0.5))

    def after_load_checkpoint(self, runner, checkpoint):
        self.loaded = checkpoint['mine']


def test_other_hooks_get_back_what_they_saved(tmp_path):
    first = runner(tmp_path / 'run', 1)
    first.register_hook(NumpyHook())
    first.train()
    torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    second, hook = runner(tmp_path / 'run', 2, resume=True), NumpyHook()
    second.register_hook(hook)
    second.train()
    np.testing.assert_array_equal(hook.loaded['curve'], np.arange(3.0))
    assert type(hook.loaded['curve']) is np.ndarray and hook.loaded['best'] == 0.5


def test_what_has_no_plain_form_is_kept_and_named_once(tmp_path):
    class Odd:
        pass

    class OddHook(Hook):
        def before_save_checkpoint(self, runner, checkpoint):
            checkpoint['meta']['extra'] = [1, Odd]

    run = runner(tmp_path / 'run', 2)
    run.register_hook(OddHook())
    with pytest.raises(Exception, match='Odd'):  # a local class cannot be pickled at all
        run.train()
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert log.count('meta.extra[1] (type)') == 1


@pytest.mark.parametrize('content', [b'<html>404</html>', b'version https://git-lfs.github.com/spec/v1', b''])
def test_what_is_no_checkpoint_is_called_that(tmp_path, content):
    path = tmp_path / 'model.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match='not a torch checkpoint') as error:
        _load_checkpoint(str(path), 'cpu')
    assert str(path) in str(error.value) and 'TORCH_FORCE' not in str(error.value)
