"""One training iteration of Adversarial PoseNet (Chen et al., ICCV 2017, Algorithm 1), in three forms.

Algorithm 1 lists: G by L_G; P on predicted maps, P on true maps; C likewise; G by the whole objective. ``literal``
does so, with a step of the optimizer for each, and runs G twice. The whole objective holds L_G, so the other two step
G once:

- ``joint`` (default): G predicts once; P, C and G take their gradients, all at the weights that the iteration began
  with; then all have stepped. So one P and one C score all parts of an accumulated batch, and accumulating two batches
  equals one of twice the size. A deviation: in Algorithm 1, P and C step before they score for G.
- ``alternating``: in that order; otherwise as ``joint``. It cannot accumulate.

P and C see a joint's predicted map only where they would see a true one: maps of joints without a label are empty in
the truth, and a discriminator would learn to tell predictions by them.

Shapes: B images, K joints, C channels of the maps, H x W cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from posestructs.engine.network_optim import finish_step, skip_step
from posestructs.models.losses.adversarial_loss import per_image
from posestructs.models.pose_estimators.head_maps import Truth, read_truth
from posestructs.models.pose_estimators.step_log import StepLog

if TYPE_CHECKING:
    from posestructs.models.pose_estimators.adversarial_pose_estimator import AdversarialPoseEstimator

ALGORITHMS = ('joint', 'alternating', 'literal')


class AdversarialStep:
    """The parts of an iteration, and their order.

    Args:
        model: The estimator.
        data: ``inputs`` (B, 3, h, w) and ``data_samples``, preprocessed.
        networks: Of the model by name, 'generator' and its discriminators; under DDP their views, by which gradients
            are averaged over ranks.
        optim: Optimizer wrapper of each.
    """

    def __init__(
        self,
        model: AdversarialPoseEstimator,
        data: Mapping,
        networks: Mapping[str, nn.Module],
        optim: Mapping[str, OptimWrapper],
    ) -> None:
        self.model, self.networks, self.optim = model, networks, optim
        self.inputs, self.samples = data['inputs'], data['data_samples']
        self.discriminators = [name for name in networks if name != 'generator']
        # not to be stepped in this iteration
        self.stopped = model.frozen | model.skip_steps
        self.log = StepLog()
        self._truth: Truth | None = None

    def run(self) -> dict[str, Tensor]:
        """Do all of it.

        Returns:
            dict[str, Tensor]: What to log, the same on all ranks.
        """
        if self.model.algorithm == 'literal':
            self._literal()
        else:
            self._joint(steps_first=self.model.algorithm == 'alternating')
        return self.log.reduce()

    def _joint(self, steps_first: bool) -> None:
        losses, maps = self._generate()
        labels = self._labels(maps)
        active = self._active()
        for name in active:
            self._teach(name, maps.detach(), labels[name])
            if steps_first:
                self._finish(name)
        self._improve(losses, maps, labels)
        for name in self.discriminators:
            if not steps_first or name not in active:
                self._finish(name)

    def _literal(self) -> None:
        losses, maps = self._generate()
        if 'generator' not in self.stopped:
            # G by L_G
            self.optim['generator'].update_params(self.model.parse_losses(losses)[0])
        labels = self._labels(maps)
        for name in self._active():
            self._teach_in_turn(name, maps.detach(), labels[name])
        # G by the whole objective
        losses, maps = self._generate()
        self._improve(losses, maps, self._labels(maps))

    def _active(self) -> list[str]:
        """Discriminators that have to be run: a frozen one that says nothing to the generator is not."""
        return [n for n in self.discriminators if n not in self.model.frozen or self.model.coefficient(n) != 0]

    # ------------------------------------------------------------------------------------------------ generator

    def _generate(self) -> tuple[dict, Tensor | None]:
        """Losses of the head, and its final maps where discriminators want them, of one forward pass."""
        network = self.networks['generator']
        if 'generator' in self.stopped:
            with _at_rest(network), self.optim['generator'].optim_context(self.model):
                return self.model.supervise(self.inputs, self.samples)
        with self.optim['generator'].optim_context(network):
            return network(self.inputs, self.samples)

    def _improve(self, losses: dict, maps: Tensor | None, labels: Mapping[str, Tensor]) -> None:
        """Step G by L_G + alpha L_C + beta L_P."""
        optim = self.optim['generator']
        trained = 'generator' not in self.stopped
        for name in self.discriminators:
            coefficient = self.model.coefficient(name)
            key = f'loss_adv_{name}'
            if coefficient == 0 or not trained:
                losses[key] = maps.new_zeros((), dtype=torch.float32)
                continue
            discriminator = self.model.discriminators[name]
            with _fixed(discriminator, name in self.stopped), optim.optim_context(discriminator):
                logits = _widen(discriminator(self._seen(maps), self.inputs))
            terms = self.model.adversarial_loss.generator(logits, labels[name])
            losses[key] = coefficient * per_image(terms, self._weights(name))
        total, log_vars = self.model.parse_losses(losses)
        for key, value in log_vars.items():
            self.log.add(key, value)
        if trained:
            optim.update_params(total)
        else:
            skip_step(optim)

    # ------------------------------------------------------------------------------------------------ discriminators

    def _teach(self, name: str, maps: Tensor, labels: Tensor) -> None:
        """Gradients of one discriminator, of true and predicted maps in one forward pass."""
        logits = self._score(name, torch.cat([self.truth.maps * self.truth.known, self._seen(maps)]))
        real, fake = logits.chunk(2)
        loss = self._real_loss(name, real) + self._fake_loss(name, fake, labels)
        if name not in self.stopped:
            optim = self.optim[name]
            optim.backward(optim.scale_loss(loss))

    def _teach_in_turn(self, name: str, maps: Tensor, labels: Tensor) -> None:
        """Step one discriminator on predicted maps, then on true ones."""
        for true in (False, True):
            if true:
                loss = self._real_loss(name, self._score(name, self.truth.maps * self.truth.known))
            else:
                loss = self._fake_loss(name, self._score(name, self._seen(maps)), labels)
            if name not in self.stopped:
                self.optim[name].update_params(loss)

    def _finish(self, name: str) -> None:
        if name in self.stopped:
            skip_step(self.optim[name])
        else:
            finish_step(self.optim[name])

    def _score(self, name: str, maps: Tensor) -> Tensor:
        network = self.networks[name]
        if name in self.stopped:
            network = self.model.discriminators[name]
            with _at_rest(network), self.optim[name].optim_context(network):
                return _widen(network(maps, self.inputs))
        with self.optim[name].optim_context(network):
            return _widen(network(maps, self.inputs))

    def _real_loss(self, name: str, logits: Tensor) -> Tensor:
        loss = per_image(self.model.adversarial_loss.real(logits), self._weights(name))
        self.log.add(f'{name}.loss_real', loss)
        self._log_verdicts(f'{name}.%s_real', name, logits, torch.ones_like(logits))
        return loss

    def _fake_loss(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        loss = per_image(self.model.adversarial_loss.fake(logits, labels), self._weights(name))
        self.log.add(f'{name}.loss_fake', loss)
        self._log_verdicts(f'{name}.%s_fake', name, logits, labels)
        self.log.add_mean(f'{name}.share_right', labels, self._weights(name))
        return loss

    def _log_verdicts(self, key: str, name: str, logits: Tensor, labels: Tensor) -> None:
        logits, weights = logits.detach(), self._weights(name)
        self.log.add_mean(key % 'score', logits.sigmoid(), weights)
        self.log.add_mean(key % 'acc', ((logits > 0) == (labels > 0)).to(weights), weights)

    # ------------------------------------------------------------------------------------------------ labels

    @property
    def truth(self) -> Truth:
        """Labels of the batch."""
        if self._truth is None:
            raise RuntimeError('the labels are read after the first forward pass')
        return self._truth

    def _labels(self, maps: Tensor | None) -> dict[str, Tensor]:
        """t of each discriminator for predicted maps (B, C, H, W); (B, K) each."""
        if not self.discriminators:
            return {}
        if self._truth is None:
            self._truth = read_truth(self.samples, maps)
        truth, maps = self.truth, maps.detach()[:, : self.truth.num_joints]
        true = truth.maps[:, : truth.num_joints]
        loss = self.model.adversarial_loss
        return {name: loss.labels(name, maps, true, truth.cells, truth.sizes) for name in self.discriminators}

    def _seen(self, maps: Tensor) -> Tensor:
        """Predicted maps as a discriminator sees them: empty where the true ones are for want of a label."""
        return maps.to(self.truth.maps) * self.truth.known

    def _weights(self, name: str) -> Tensor:
        """(B, K) which joints count: those with a label, and for P on a person whose size is known."""
        truth = self.truth
        return truth.labelled * (truth.sizes > 0).unsqueeze(1) if name == 'pose' else truth.labelled


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Run a network that is not trained now: without a graph, and without moving running statistics."""
    with _in_eval_mode(network), torch.no_grad():
        yield


@contextmanager
def _fixed(network: nn.Module, stopped: bool) -> Iterator[None]:
    """Keep a network's weights out of the graph, so that its gradients stay as they are."""
    trained = [p for p in network.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad_(False)
    try:
        with _in_eval_mode(network) if stopped else nullcontext():
            yield
    finally:
        for p in trained:
            p.requires_grad_(True)


@contextmanager
def _in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Put each part back as it was: some may rest for good, such as a backbone's frozen normalisation."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _widen(logits: Tensor) -> Tensor:
    """At least float32, whatever mixed precision gave."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
