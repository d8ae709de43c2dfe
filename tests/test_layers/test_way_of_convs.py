"""Which way is taken: by name, by rule, by trial; and that a trial leaves no trace in the model."""

import pytest
import torch

from posestructs.layers import way_of_convs
from posestructs.layers.parallel_convs import WAYS, Convolution
from posestructs.layers.way_of_convs import choose_way, try_ways


def step(messages=3, channels=4, side=7, kernel=(3, 3), batch=1, device=None):
    inputs = [torch.rand(batch, channels, side, side, device=device) for _ in range(messages)]
    weights = [torch.rand(channels, channels, *kernel, device=device, requires_grad=True) for _ in range(messages)]
    return inputs, [Convolution(weights, [torch.zeros(channels, device=device) for _ in range(messages)])]


@pytest.fixture(autouse=True)
def nothing_tried(monkeypatch):
    monkeypatch.setattr(way_of_convs, '_tried', {})


@pytest.mark.parametrize('way', WAYS)
def test_by_name(way):
    assert choose_way(way, *step()) == way


@pytest.mark.parametrize(
    'way, sizes',
    [
        ('grouped', dict(channels=16, side=16, kernel=(7, 7))),
        ('loop', dict(channels=128, side=56, kernel=(7, 7))),
        ('loop', dict(channels=16, side=16, kernel=(1, 13))),
        ('loop', dict(channels=16, side=16, kernel=(7, 7), messages=1)),
        ('loop', dict(channels=16, side=16, kernel=(7, 7), batch=64)),
    ],
)
def test_rule_on_a_cpu(way, sizes):
    assert choose_way('auto', *step(device='meta' if sizes['channels'] > 16 else None, **sizes)) == way


def test_the_fastest_in_a_trial_is_kept_for_its_kind(monkeypatch):
    calls = []

    def trial(inputs, layers):
        calls.append((len(inputs), inputs[0].shape, torch.is_grad_enabled()))
        return dict(loop=3.0, grouped=2.0, matmul=1.0 if len(calls) < 3 else 4.0)

    monkeypatch.setattr(way_of_convs, 'try_ways', trial)
    assert choose_way('measure', *step()) == choose_way('measure', *step()) == 'matmul'
    assert len(calls) == 1
    assert choose_way('measure', *step(batch=2)) == 'matmul'
    with torch.no_grad():
        assert choose_way('measure', *step()) == 'grouped'
    choose_way('measure', *step(messages=2))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        choose_way('measure', *step())
    assert len(calls) == 5
    # runs that are to be the same do not depend on the clock
    torch.use_deterministic_algorithms(True)
    try:
        assert choose_way('measure', *step(batch=3)) in WAYS and len(calls) == 5
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_trial_runs_every_way_there_and_back(monkeypatch):
    inputs, layers = step()
    runs = []

    def spy(name, way):
        def run(inputs, layers):
            runs.append((name, torch.is_grad_enabled() and layers[0].weights[0].requires_grad))
            return way(inputs, layers)

        return run

    monkeypatch.setattr(way_of_convs, 'WAYS', {name: spy(name, way) for name, way in WAYS.items()})
    state = torch.random.get_rng_state()
    seconds = try_ways(inputs, layers, repeats=1)
    assert set(seconds) == set(WAYS) and min(seconds.values()) > 0
    assert runs == [(name, True) for name in WAYS for _ in range(3)]
    assert all(weight.grad is None for weight in layers[0].weights)
    assert torch.equal(state, torch.random.get_rng_state())
    runs.clear()
    with torch.no_grad():
        try_ways(inputs, layers, repeats=1)
    assert not any(gradient for _, gradient in runs)


def test_a_way_without_enough_memory_is_left_out(monkeypatch):
    def fails(inputs, layers):
        raise torch.OutOfMemoryError('no room')

    monkeypatch.setattr(way_of_convs, 'WAYS', dict(loop=WAYS['loop'], matmul=fails))
    assert set(try_ways(*step())) == {'loop'}
    monkeypatch.setattr(way_of_convs, 'WAYS', dict(matmul=fails))
    assert choose_way('measure', *step()) == 'loop'


@pytest.mark.gpu
def test_auto_tries_on_a_gpu():
    assert choose_way('auto', *step(device='cuda')) in WAYS
    assert len(way_of_convs._tried) == 1
