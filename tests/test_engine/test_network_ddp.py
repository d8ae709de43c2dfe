"""Two ranks over gloo equal one process on the whole batch, and log the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from posestructs.engine import NetworkDistributedDataParallel
from posestructs.utils.launch import disconnect_ranks
from tests.helpers import adversarial_toy as toy
from tests.helpers import repo_root

ITERATIONS = 4
SCENARIOS = {
    'joint': dict(),
    'alternating': dict(adversarial=dict(algorithm='alternating')),
    'literal': dict(adversarial=dict(algorithm='literal')),
    'accumulated': dict(),
    'running statistics': dict(
        train=False,
        **{part: dict(norm_cfg=dict(type='BN')) for part in ('backbone', 'head')},
    ),
    'without discriminators': dict(discriminators=None),
    'stopped': dict(),
    'three discriminators': toy.THREE,
    'pairs and penalties': dict(
        discriminators=dict(
            pose=dict(
                channels=8,
                depth=1,
                norm_cfg=None,
                loss=dict(type='RelativisticLoss'),
                gradient_penalty=dict(r1=0.3, r2=0.8),
            )
        )
    ),
    # whose k is a buffer that each rank updates by itself
    'auto-encoder': dict(
        discriminators=dict(
            coder=dict(
                type='MapAutoEncoder',
                channels=8,
                depth=1,
                norm_cfg=toy.GROUPS,
                loss=dict(type='BEGANLoss', gamma=0.9, lambda_k=1e-3),
            )
        ),
        adversarial=dict(weights=dict(coder=0.3)),
    ),
}


def train(scenario: str, rank: int, world: int) -> tuple[dict, list[dict]]:
    """Some iterations on a rank's share of batches of six samples; every sixth has no labels."""
    model = toy.build(**SCENARIOS[scenario])
    if scenario == 'auto-encoder':
        model.discriminators['coder'].adversarial_loss.k.fill_(0.5)
    counts = 2 if scenario == 'accumulated' else 1
    optim = toy.optimizers(model, torch.optim.RMSprop, counts, ITERATIONS, lr=1e-3, momentum=0.9)
    trained = NetworkDistributedDataParallel(model) if world > 1 else model
    share, logs = 6 // world, []
    for number in range(ITERATIONS):
        if scenario == 'stopped':  # one after the other, as hooks do
            model.skip_steps = {('pose', 'confidence', 'generator')[number % 3]}
            model.frozen = {'confidence'} if number == 3 else set()
        batch = toy.batch(6 * number + rank * share, share)
        log = trained.train_step(batch, optim)
        logs.append({name: value.item() for name, value in log.items()})
    return toy.weights(model), logs


def main(rank: int, out_dir: str) -> None:
    """One of two ranks."""
    import torch
    from mmengine.model import MMDistributedDataParallel
    from mmengine.registry import init_default_scope

    os.chdir(out_dir)
    torch.distributed.init_process_group('gloo', init_method=f'file://{out_dir}/store', rank=rank, world_size=2)
    init_default_scope('mmpose')
    result = {scenario: train(scenario, rank, 2) for scenario in SCENARIOS}
    model = toy.build()
    model.measure_gradients = True
    log = NetworkDistributedDataParallel(model).train_step(toy.batch(3 * rank, 3), toy.optimizers(model))
    result['slopes'] = {name: value.item() for name, value in log.items() if 'grad_' in name}
    model = toy.build()
    wrapper = NetworkDistributedDataParallel(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        wrapper.train_step(toy.batch(0, 2), toy.optimizers(model))
    result['deprecated'] = [str(warning.message) for warning in caught if 'deprecated' in str(warning.message)]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        wrappers = wrapper, NetworkDistributedDataParallel(model, broadcast_buffers=True)
        result['synced'] = [{w.broadcast_buffers for w in each.views.values()} for each in wrappers]
    result['names'] = [list(m.state_dict()) for m in (wrapper, wrapper.module, model)]
    result['parameters'] = [len(list(m.parameters())) for m in (wrapper, model)]
    model = toy.build()
    try:
        MMDistributedDataParallel(model).train_step(toy.batch(0, 2), toy.optimizers(model))
    except RuntimeError as error:
        result['error'] = str(error)
    torch.save(result, f'rank{rank}.pt')
    torch.distributed.barrier()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """Results of both ranks."""
    out_dir = tmp_path_factory.mktemp('ranks')
    env = os.environ | {'PYTHONPATH': str(repo_root()), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    commands = [[sys.executable, __file__, str(rank), str(out_dir)] for rank in (0, 1)]
    running = [subprocess.Popen(c, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for c in commands]
    try:
        outputs = [process.communicate(timeout=300)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert all(process.returncode == 0 for process in running), '\n'.join(outputs)
    return [torch.load(out_dir / f'rank{rank}.pt', weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize('scenario', SCENARIOS)
def test_two_ranks_train_as_one_process(scenario, ranks):
    weights, logs = train(scenario, 0, 1)
    for rank in ranks:
        theirs, their_logs = rank[scenario]
        assert toy.largest_difference(theirs, weights) < 1e-8
        assert len(their_logs) == len(logs) == ITERATIONS
        for own, their in zip(logs, their_logs, strict=True):
            acc = {'acc_pose'}  # a mean over joints, of those labelled in a rank's images
            assert {k: v for k, v in their.items() if k not in acc} == pytest.approx(
                {k: v for k, v in own.items() if k not in acc}, rel=1e-7, abs=1e-10
            )
    assert ranks[0][scenario][1] == ranks[1][scenario][1]  # to the last bit: hooks decide from them
    before = toy.weights(toy.build(**SCENARIOS[scenario]))
    assert toy.largest_difference(weights, before) > 1e-3


def test_the_balance_of_an_auto_encoder_moves_and_is_the_same_on_both_ranks(ranks):
    balances = [rank['auto-encoder'][0]['discriminators.coder.adversarial_loss.k'].item() for rank in ranks]
    assert balances[0] == balances[1] and 0 < balances[0] < 0.5


def test_gradients_at_the_maps_are_averaged(ranks):
    """So that hooks of both ranks set the same weights."""
    alone = []
    for rank in range(2):
        model = toy.build()
        model.measure_gradients = True
        alone.append(model.train_step(toy.batch(3 * rank, 3), toy.optimizers(model)))
    for name in ('pose.grad_ratio', 'confidence.grad_cosine'):
        mean = (alone[0][name] + alone[1][name]).item() / 2
        assert ranks[0]['slopes'][name] == ranks[1]['slopes'][name] == pytest.approx(mean, rel=1e-7)


def test_names_are_those_of_one_process(ranks):
    alone = list(toy.build().state_dict())
    for rank in ranks:
        wrapped, inner, model = rank['names']
        assert inner == model == alone
        assert wrapped == [f'module.{name}' for name in alone]
        assert rank['parameters'][0] == rank['parameters'][1]  # the views add none


def test_buffers_are_each_ranks_own_and_torch_finds_nothing_deprecated(ranks):
    for rank in ranks:
        assert rank['deprecated'] == []
        assert rank['synced'] == [{False}, {True}]


def test_plain_ddp_is_refused(ranks):
    for rank in ranks:
        assert "model_wrapper_cfg=dict(type='NetworkDistributedDataParallel')" in rank['error']


def test_a_model_of_one_network_is_refused():
    with pytest.raises(
        TypeError, match='for a model of several networks, and Linear is a single one: leave model_wrapper_cfg out'
    ):
        NetworkDistributedDataParallel(nn.Linear(1, 1))


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])
    disconnect_ranks()
