"""At every moment of a run, a whole checkpoint is on disk once there was one. Killed runs: tests/test_tools."""

from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from posestructs.engine.hooks import AtomicCheckpointHook, atomic_checkpoint_hook
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError


class Ones(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return dict(x=torch.ones(1))


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, mode='loss'):
        return dict(loss=((torch.stack(x) * self.weight) ** 2).sum()) if mode == 'loss' else [0]


class Scores(BaseMetric):
    """Gives the next of the listed scores at each evaluation."""

    def __init__(self, scores):
        super().__init__()
        self.scores = list(scores)

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=self.scores.pop(0))


def train(work_dir, epochs, scores=None, train_cfg=None, **hook):
    MessageHub._instance_dict.clear()
    loader = dict(dataset=Ones(), batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False))
    validation = dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=Evaluator(Scores(scores))) if scores else {}
    run = Runner(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=train_cfg or dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[dict(type='mmpose.SafeCheckpointHook')],
        default_hooks=dict(checkpoint=dict(type='mmpose.AtomicCheckpointHook', interval=1, **hook)),
        experiment_name=f'{work_dir.name}{epochs}',
        **validation,
    )
    run.train()
    return run


@pytest.fixture
def on_disk(monkeypatch):
    """Content of the folder just before each write, with the name that is written."""
    seen = []

    def spy(path, data):
        seen.append((Path(path).name, sorted(f.name for f in Path(path).parent.glob('*.pth'))))
        atomic_write(path, data)

    monkeypatch.setattr(atomic_checkpoint_hook, 'atomic_write', spy)
    return seen


def test_the_old_one_goes_after_the_new_one_is_there(tmp_path, on_disk):
    train(tmp_path, 3, max_keep_ckpts=1)
    assert on_disk == [('epoch_1.pth', []), ('epoch_2.pth', ['epoch_1.pth']), ('epoch_3.pth', ['epoch_2.pth'])]
    assert [f.name for f in tmp_path.glob('*.pth')] == ['epoch_3.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


def test_the_old_best_goes_after_the_new_best_is_there(tmp_path, on_disk):
    train(tmp_path, 3, scores=[1.0, 3.0, 2.0], save_best='score', rule='greater', max_keep_ckpts=1)
    assert ('best_score_epoch_2.pth', ['best_score_epoch_1.pth', 'epoch_2.pth']) in on_disk
    assert sorted(f.name for f in tmp_path.glob('*.pth')) == ['best_score_epoch_2.pth', 'epoch_3.pth']


def test_several_bests(tmp_path):
    train(tmp_path, 2, scores=[1.0, 3.0], save_best=['score'], rule='less')
    assert sorted(f.name for f in tmp_path.glob('best*')) == ['best_score_epoch_1.pth']


def test_a_best_written_under_its_old_name_stays(tmp_path):
    """A loop that counts iterations is in epoch 0 throughout, and a hook that counts epochs names its bests so."""
    loop = dict(by_epoch=False, max_iters=2, val_interval=1)
    train(tmp_path, 0, scores=[1.0, 2.0], train_cfg=loop, save_best='score', rule='greater', save_last=False)
    best = torch.load(tmp_path / 'best_score_epoch_0.pth', weights_only=True)
    assert best['message_hub']['runtime_info']['best_score'] == 2.0


def test_failed_write_leaves_all_as_it_was(tmp_path, monkeypatch):
    def fail_second(path, data):
        if 'epoch_2' in path:
            raise OSError(28, 'No space left on device')
        atomic_write(path, data)

    monkeypatch.setattr(atomic_checkpoint_hook, 'atomic_write', fail_second)
    with pytest.raises(OSError, match='No space left'):
        train(tmp_path, 3, max_keep_ckpts=1)
    assert [f.name for f in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    torch.load((tmp_path / 'last_checkpoint').read_text(), weights_only=True)


def test_leftovers_of_a_killed_run_go(tmp_path):
    (tmp_path / '.epoch_7.pth.partial').write_bytes(b'half')
    (tmp_path / '.mine').write_bytes(b'')
    train(tmp_path, 1)
    assert {f.name for f in tmp_path.glob('.*')} == {'.mine'}


def test_other_storage_stays_as_configured(tmp_path, on_disk):
    run = train(tmp_path, 1, backend_args=dict(backend='local'))
    hook = next(h for h in run.hooks if isinstance(h, AtomicCheckpointHook))
    assert hook.backend_args == dict(backend='local') and not on_disk
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.parametrize(
    'slip, message',
    [
        (dict(interval='x'), "interval='x', allowed: an integer of at least 1, or -1"),
        (dict(interval=0), 'interval=0'),
        (dict(max_keep_ckpts=0), 'max_keep_ckpts=0, allowed'),
        (dict(max_keep_ckpts=1.5), 'max_keep_ckpts=1.5'),
        (dict(by_epoch='yes'), "by_epoch='yes'"),
        (dict(save_begin=0.5), 'save_begin=0.5'),
        (dict(filename_tmpl='epoch.pth'), 'filename_tmpl='),
        (dict(out_dir=3), 'out_dir=3'),
        (dict(intervall=2), "unknown arguments 'intervall'"),
    ],
)
def test_arguments_are_refused_when_the_hook_is_built(slip, message):
    """mmengine takes them, and fails or keeps everything when the first file is written."""
    with pytest.raises(ValueError, match=f'^CheckpointHook.*{message}'):
        AtomicCheckpointHook(**slip)


def test_a_best_of_another_metric_is_refused_with_those_of_the_run(tmp_path):
    with pytest.raises(UsageError, match="save_best='PCK', allowed: 'score'; .*epoch_1.pth is written, go on with"):
        train(tmp_path, 2, scores=[1.0, 2.0], save_best='PCK', rule='greater')


def test_a_best_of_another_prefix_is_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(Scores, 'default_prefix', 'toy')
    with pytest.raises(UsageError, match="save_best='coco/AP', val_evaluator has toy/..."):
        train(tmp_path, 1, scores=[1.0], save_best='coco/AP', rule='greater')
    assert not list(tmp_path.glob('*.pth'))
