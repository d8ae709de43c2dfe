"""Real runs: what is written loads under weights_only=True and resumes with the same history."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from posestructs.engine.hooks import SafeCheckpointHook
from posestructs.engine.hooks.safe_checkpoint_hook import from_plain, to_plain


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
        param_scheduler=dict(type='StepLR', step_size=1, gamma=0.5),
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


def test_an_unsafe_file_says_how_to_opt_in(tmp_path, monkeypatch):
    runner(tmp_path / 'unsafe', 1, safe=False).train()
    path = tmp_path / 'unsafe' / 'epoch_1.pth'
    again = runner(tmp_path / 'again', 2, resume=True, load_from=str(path))
    with pytest.raises(pickle.UnpicklingError, match='TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1') as error:
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
    with pytest.raises(RuntimeError, match=f'{path} is truncated or no torch checkpoint'):
        again.train()


def test_round_trip_of_every_kind(tmp_path):
    buffer = HistoryBuffer([1.5, 2.5], [1, 3], max_length=7)
    content = dict(
        number=np.float32(0.1),
        count=np.int64(3),
        flag=np.bool_(True),
        array=np.arange(6, dtype=np.int16).reshape(2, 3),
        words=np.array([['a'], ['bcd']]),
        nested=[dict(buffer=buffer), (1, 'x', None), {1, 2}],
        tensor=torch.arange(3),
        text='plain',
    )
    torch.save(to_plain(content), tmp_path / 'file')
    back = from_plain(torch.load(tmp_path / 'file', weights_only=True))
    assert back['number'] == float(np.float32(0.1)) and back['count'] == 3 and back['flag'] is True
    for key in ('array', 'words'):
        np.testing.assert_array_equal(back[key], content[key])
        assert back[key].dtype == content[key].dtype
    restored = back['nested'][0]['buffer']
    assert [v.tolist() for v in restored.data] == [[1.5, 2.5], [1, 3]] and restored.max_length == 7
    assert restored.mean() == buffer.mean()
    assert back['nested'][1:] == [(1, 'x', None), {1, 2}] and back['text'] == 'plain'
    assert torch.equal(back['tensor'], content['tensor'])
    assert content['nested'][0]['buffer'] is buffer  # the original is untouched


def test_what_has_no_plain_form_is_kept_and_named_once():
    class Odd:
        pass

    odd = Odd()
    warnings = []

    class FakeLogger:
        warning = warnings.append

    class FakeRunner:
        logger = FakeLogger()

    hook = SafeCheckpointHook()
    for _ in range(2):
        checkpoint = dict(state_dict={}, meta=dict(extra=[1, odd]), message_hub={})
        hook.before_save_checkpoint(FakeRunner(), checkpoint)
        assert checkpoint['meta']['extra'] == [1, odd]
    assert len(warnings) == 1 and 'meta.extra[1] (Odd)' in warnings[0]
