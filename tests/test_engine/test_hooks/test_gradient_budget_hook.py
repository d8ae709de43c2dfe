"""The budget in runs of a tiny adversarial model in float64: shares that are reached, schedule, resuming."""

import math

import pytest
import torch

from posestructs.engine.hooks import AdversarialScheduleHook, GradientBudgetHook
from tests.test_engine.test_hooks.test_adversarial_schedule_hook import NAMES, changed, train


def logged(runner, key):
    return runner.message_hub.get_scalar(f'train/{key}').data[0].tolist()


def test_weights_make_the_gradients_a_share(tmp_path):
    hook = GradientBudgetHook(share=0.1, interval=1, window=1)
    runner, notes = train(tmp_path, [hook], iterations=5)
    for name in NAMES:
        weights, ratios = logged(runner, f'{name}.budget_weight'), logged(runner, f'{name}.grad_ratio')
        assert weights[0] == 0 and len(ratios) == 5
        # the ratio of the last iteration, times the weight, is half of the share
        assert [w * r for w, r in zip(weights[1:], ratios, strict=False)] == pytest.approx([0.05] * 4)
    assert notes.set[1][:2] == (logged(runner, 'confidence.budget_weight')[1], logged(runner, 'pose.budget_weight')[1])
    # the model's own weights are back
    assert (runner.model.alpha, runner.model.beta, runner.model.measure_gradients) == (0.5, 0.7, False)


def test_discriminators_that_are_never_trained_contribute(tmp_path):
    """As in the control with random, frozen ones: their weights are 0 until they are measured."""
    frozen = AdversarialScheduleHook(by_epoch=False, freeze=dict.fromkeys(NAMES, (0, None)))
    runner, notes = train(tmp_path / 'frozen', [frozen, GradientBudgetHook(share=0.1, interval=1)], iterations=3)
    _, alone = train(tmp_path / 'alone', [AdversarialScheduleHook(by_epoch=False, warmup=3)], iterations=3)
    for name in NAMES:
        weights = logged(runner, f'{name}.budget_weight')
        assert weights[0] == 0 and all(weight > 0 for weight in weights[1:])
    # the discriminators keep their weights, and move the generator
    assert not any(changed(notes.weights[0], notes.weights[-1], name) for name in NAMES)
    assert changed(alone.weights[-1], notes.weights[-1], 'generator')


def test_running_geometric_mean_of_measurements(tmp_path):
    hook = GradientBudgetHook(share=0.1, interval=2, window=2, names=['pose'])
    runner, _ = train(tmp_path, [hook], iterations=6)
    found = {int(step): value for step, value in enumerate(logged(runner, 'pose.grad_ratio'))}
    assert len(found) == 3  # of iterations 0, 2 and 4
    first, second, third = (math.log(value) for value in found.values())
    mean = (first + second) / 2
    mean += (third - mean) / 2
    assert logged(runner, 'pose.budget_weight')[5] == pytest.approx(0.1 / math.exp(mean))
    # the other keeps its weight
    assert 'train/confidence.budget_weight' not in runner.message_hub.log_scalars


def test_begin_and_schedule_are_kept(tmp_path):
    frozen = AdversarialScheduleHook(by_epoch=False, warmup=1, freeze=dict(generator=(1, 3)))
    hooks = [frozen, GradientBudgetHook(share=0.1, begin=0.5, interval=1)]
    runner, notes = train(tmp_path, hooks, iterations=8)
    weights = logged(runner, 'pose.budget_weight')
    assert weights[:4] == [0] * 4 and all(weight > 0 for weight in weights[4:])
    # gradients at the maps need a generator that is trained
    assert ['pose.grad_ratio' in outputs for outputs in notes.outputs] == [False] * 3 + [True] * 5


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    options = dict(share=0.2, interval=2)
    _, straight = train(tmp_path / 'straight', [GradientBudgetHook(**options)], epochs=2)
    train(tmp_path / 'resumed', [GradientBudgetHook(**options)], epochs=1)
    _, resumed = train(tmp_path / 'resumed', [GradientBudgetHook(**options)], epochs=2, resume=True)
    assert resumed.set == straight.set[3:]
    assert all(torch.equal(straight.weights[-1][name], value) for name, value in resumed.weights[-1].items())


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match='GradientBudgetHook.share=0'):
        GradientBudgetHook(share=0)
    with pytest.raises(ValueError, match=r"names=\['limbs'\], allowed: pose, confidence"):
        train(tmp_path, [GradientBudgetHook(share=0.1, names=['limbs'])], iterations=1)
