"""Mean losses of joints against a loop, handed on at the end of an epoch, restored when resumed."""

import pytest
import torch

from posestructs.datasets.transforms import LossAimedOccluder
from posestructs.engine.hooks import JointLossHook
from posestructs.models.losses import HeatmapSumLoss


class Runner:
    """What the hook reads of a runner."""

    def __init__(self, steps, resume=False):
        self.model = torch.nn.Module()
        self.model.head = torch.nn.Module()
        self.model.head.loss_module = HeatmapSumLoss()
        pipeline = type('Compose', (), dict(transforms=steps))()
        dataset = type('Data', (), {})()
        dataset.pipeline = pipeline
        self.train_dataloader = type('Loader', (), dict(dataset=dataset))()
        self.logger = type('Logger', (), dict(info=lambda self, text: None))()
        self._resume = resume


def test_means_over_labelled_joints():
    torch.manual_seed(0)
    step, hook = LossAimedOccluder(), JointLossHook()
    runner = Runner([step])
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    sums, counts = [0.0, 0.0], [0, 0]
    for _ in range(3):
        maps, targets = torch.rand(2, 2, 3, 3), torch.rand(2, 2, 3, 3)
        weights = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        runner.model.head.loss_module(maps, targets, weights)
        for n in range(2):
            for k in range(2):
                if weights[n, k]:
                    sums[k] += (maps[n, k] - targets[n, k]).square().sum().item()
                    counts[k] += 1
    assert not step._losses.any()  # not before the end of the epoch
    hook.after_train_epoch(runner)
    wanted = [s / c for s, c in zip(sums, counts, strict=True)]
    assert step._losses[:3].tolist() == pytest.approx([*wanted, 0], rel=1e-6)
    checkpoint = {}
    hook.before_save_checkpoint(runner, checkpoint)
    hook.after_train(runner)
    assert not runner.model.head.loss_module._forward_hooks

    again, resumed = LossAimedOccluder(), JointLossHook()
    runner = Runner([again], resume=True)
    resumed.after_load_checkpoint(runner, checkpoint)
    resumed.before_train(runner)
    assert torch.equal(again._losses, step._losses)


def test_a_pipeline_without_its_transform_is_refused():
    with pytest.raises(ValueError, match='JointLossHook needs a LossAimedOccluder'):
        JointLossHook().before_train(Runner([]))
