"""Running means against numpy, the status by hand, and runs in which a discriminator wins or collapses."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from posestructs.engine.hooks import AdversarialScheduleHook, DiscriminatorBalanceHook, SafeCheckpointHook
from posestructs.engine.hooks.discriminator_balance_hook import Balance
from posestructs.utils.launch import disconnect_ranks
from tests.helpers import adversarial_toy as toy
from tests.helpers import repo_root

# for P beside a generator that is not trained, so that real and predicted maps are easy to distinguish
EASY = dict(window=5, wins=0.9, collapses=0.05, margin=0.02)


class Notes(Hook):
    """Record the skipped networks, the weights of P and its accuracies in each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.skipped, self.weights, self.accuracies = [], [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = runner.model.module if hasattr(runner.model, 'module') else runner.model
        self.model = model
        self.skipped.append(sorted(model.skip_steps))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.weights.append(toy.weights(self.model.discriminators['pose']))
        seen = [float(outputs.get(f'pose.{key}', -1)) for key in ('acc_real', 'acc_fake', 'score_real', 'score_fake')]
        self.accuracies.append([*seen[:2], abs(seen[2] - seen[3])])

    def moved(self):
        pairs = zip(self.weights, self.weights[1:], strict=False)
        return [any(not torch.equal(a[name], b[name]) for name in a) for a, b in pairs]


def train(folder, hooks, iterations, resume=False, rates=(0.0, 3e-3), first=0, step=2, **options):
    """Train with the learning rates of the generator and of the discriminators."""
    MessageHub._instance_dict.clear()
    model = toy.build()
    optim = toy.optimizers(model, kind=torch.optim.Adam)
    for name, member in optim.items():
        for group in member.optimizer.param_groups:
            group['lr'] = rates[name != 'generator']
    # a single epoch, as mmengine sleeps between two
    batches = [toy.batch(first + step * (number % 4), 2) for number in range(iterations)]
    notes = Notes()
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=DataLoader(batches, batch_size=1, collate_fn=lambda batches: batches[0]),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=optim,
        custom_hooks=[notes, SafeCheckpointHook(), *(hooks if isinstance(hooks, list) else [hooks])],
        default_hooks=dict(checkpoint=CheckpointHook(interval=5, by_epoch=False), logger=None),
        resume=resume,
        default_scope='mmpose',
        experiment_name=f'{folder.name}-{resume}',
        log_level='INFO',
        **options,
    )
    runner.train()
    return runner, notes


def test_running_means_against_numpy():
    real, fake, gap = np.random.default_rng(0).random((3, 30))
    balance = Balance()
    for number, values in enumerate(zip(real, fake, gap, strict=True), 1):
        balance.update(*values, window=8)
        if number <= 8:
            found = balance.real, balance.fake, balance.gap
            assert found == pytest.approx([values[:number].mean() for values in (real, fake, gap)])
    # from the ninth on, each mean keeps 7/8 of the previous one
    kept = (7 / 8) ** np.arange(22)[::-1]
    expected = [values[:8].mean() * (7 / 8) ** 22 + (values[8:] * kept / 8).sum() for values in (real, fake, gap)]
    assert (balance.real, balance.fake, balance.gap) == pytest.approx(expected, rel=1e-12)


def test_status_by_hand():
    balance, reported = Balance(), []
    for real, fake in [
        (0.5, 0.9),
        (0.96, 0.95),
        (0.94, 1.0),
        (0.91, 1.0),
        (0.1, 0.9),
        (0.9, 0.12),
        (0.9, 0.14),
        (0, 1),
    ]:
        balance.real, balance.fake = real, fake
        reported.append((balance.classify(wins=0.95, collapses=0.1, flat=0.02, margin=0.03), balance.status))
    assert reported == [
        (False, 'balanced'),
        (True, 'wins'),
        (False, 'wins'),  # within the margin
        (True, 'balanced'),
        (True, 'collapsed'),
        (False, 'collapsed'),
        (True, 'balanced'),
        (True, 'collapsed'),
    ]


def test_a_constant_output_has_collapsed_whatever_its_accuracy():
    """With scores of 0.6 it is right on all real joints, and on the predicted ones with the label 1."""
    balance, reported = Balance(real=1.0, fake=0.2, gap=0.001), []
    for gap in (0.02, 0.03, 0.041, 0.021, 0.019):
        balance.gap = gap
        balance.classify(wins=0.95, collapses=0.1, flat=0.02, margin=0.03)
        reported.append(balance.status)
    assert reported == ['collapsed', 'collapsed', 'balanced', 'balanced', 'collapsed']
    # also if all labels are 1
    balance = Balance(real=1.0, fake=1.0, gap=0.001)
    balance.classify(wins=0.95, collapses=0.1, flat=0.02, margin=0.03)
    assert balance.status == 'collapsed'


def test_one_that_wins_is_reported_and_waits(tmp_path):
    runner, notes = train(tmp_path, DiscriminatorBalanceHook(**EASY, skip=True), 40)
    start = next(i for i, names in enumerate(notes.skipped) if 'pose' in names)
    assert start >= EASY['window']
    # the means when it was reported, from the logged values
    expected = Balance()
    for values in notes.accuracies[:start]:
        expected.update(*values, window=5)
    assert min(expected.real, expected.fake) >= 0.9
    # weights are constant from the iteration in which it is skipped; moved()[i] compares iterations i and i + 1
    waiting = ['pose' in names for names in notes.skipped]
    assert [not w for w in waiting[1:]] == notes.moved()
    hub = runner.message_hub
    assert hub.get_scalar('train/pose.skipped').data[0].tolist() == [float(w) for w in waiting]
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count("discriminator pose wins, so that the generator's gradient vanishes") == sum(
        now and not before for before, now in zip([False, *waiting], waiting, strict=False)
    )
    assert 'in about the last 5 iterations it was right on' in log and 'takes no step until that changes' in log
    assert runner.model.skip_steps == set()


def test_without_skip_it_only_warns(tmp_path):
    hook = DiscriminatorBalanceHook(**EASY)
    runner, notes = train(tmp_path, hook, 40)
    assert hook.balances['pose'].status == 'wins' and all(notes.moved()) and not any(notes.skipped)
    assert 'train/pose.skipped' not in runner.message_hub.log_scalars
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'try DiscriminatorBalanceHook.skip=True or a lower learning rate of optim_wrapper.pose' in log


def test_a_nearly_constant_output_has_collapsed(tmp_path):
    class AlwaysFake(Hook):
        def before_train(self, runner):
            with torch.no_grad():
                runner.model.discriminators['confidence'].classifier[-1].bias.fill_(-50)

    hooks = [DiscriminatorBalanceHook(window=3), AlwaysFake()]
    train(tmp_path, hooks, 6, rates=(0.0, 0.0))
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count('discriminator confidence has collapsed, its output is nearly constant') == 1
    assert (
        'right on 0.0% of the real joints' in log
        and 'mean scores on the two differed by 0.000' in log
        and 'adversarial.epsilon' in log
    )


def test_a_resumed_run_decides_as_an_uninterrupted_one(tmp_path):
    straight, notes = train(tmp_path / 'straight', DiscriminatorBalanceHook(**EASY, skip=True), 40)
    stop = 5 * (next(i for i, names in enumerate(notes.skipped) if names) // 5 + 1)
    assert notes.skipped[stop - 1] and stop < 40
    train(tmp_path / 'resumed', DiscriminatorBalanceHook(**EASY, skip=True), stop)
    saved = torch.load(tmp_path / 'resumed' / f'iter_{stop}.pth', weights_only=True)['discriminator_balance']
    assert saved['pose']['status'] == 'wins' and saved['pose']['count'] == stop
    assert {type(value) for value in saved['pose'].values()} == {float, int, str}
    hook = DiscriminatorBalanceHook(**EASY, skip=True)
    resumed, rest = train(tmp_path / 'resumed', hook, 40, resume=True)
    assert rest.skipped == notes.skipped[stop:]
    assert rest.accuracies == notes.accuracies[stop:]
    assert hook.balances['pose'].count == 40
    assert toy.largest_difference(toy.weights(resumed.model), toy.weights(straight.model)) == 0


def test_load_from_does_not_restore_the_state(tmp_path):
    train(tmp_path / 'a', DiscriminatorBalanceHook(window=5), 5)
    hook = DiscriminatorBalanceHook(window=5)
    train(tmp_path / 'b', hook, 3, load_from=str(tmp_path / 'a' / 'iter_5.pth'))
    assert hook.balances['pose'].count == 3


def test_a_discriminator_that_is_not_run_is_not_counted(tmp_path):
    hook = DiscriminatorBalanceHook(window=2)
    schedule = AdversarialScheduleHook(by_epoch=False, warmup=4)
    train(tmp_path, [hook, schedule], 6)
    assert hook.balances['pose'].count == hook.balances['confidence'].count == 2


def test_persons_without_a_joint_that_counts_are_not_counted(tmp_path):
    class Unlabelled(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            for sample in data_batch['data_samples']:
                sample.gt_instance_labels.normaliser.zero_()

    hook = DiscriminatorBalanceHook(window=3)
    train(tmp_path, [hook, Unlabelled()], 6)
    assert hook.balances['pose'].count == 0 and hook.balances['confidence'].count == 6
    assert 'discriminator pose' not in next(tmp_path.glob('*/*.log')).read_text()


def main(rank: int, folder: str) -> None:
    """One of two ranks; their samples and so their own accuracies differ."""
    import posestructs.engine  # noqa: F401

    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    hook = DiscriminatorBalanceHook(**EASY, skip=True)
    wrapper = dict(type='NetworkDistributedDataParallel')
    cfg = dict(cfg=dict(model_wrapper_cfg=wrapper), launcher='pytorch')
    _, notes = train(type(repo_root())(folder), hook, 30, first=20 * rank, step=1 + rank, **cfg)
    saved = {name: vars(balance) for name, balance in hook.balances.items()}
    own = [values.tolist() for values in notes.weights[-1].values()]
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(dict(skipped=notes.skipped, accuracies=notes.accuracies, saved=saved, weights=own), file)


def test_two_ranks_decide_alike(tmp_path):
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(repo_root()), LOCAL_RANK='0')
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=environment) for rank in (0, 1)]
    try:
        assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    first, second = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1))
    assert any('pose' in names for names in first['skipped'])
    assert first == second


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(window=0), 'window=0, allowed: an integer of at least 1'),
        (dict(wins=98), 'wins=98, allowed: a number from 0 to 1'),
        (dict(margin=True), 'margin=True'),
        (dict(flat=-0.1), 'flat=-0.1, allowed: a number from 0 to 1'),
        (dict(wins=0.5, collapses=0.49), r'allowed: collapses \+ margin < wins - margin'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DiscriminatorBalanceHook(**arguments)


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])
    disconnect_ranks()
