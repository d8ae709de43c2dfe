"""One training iteration of Adversarial PoseNet (Chen et al., ICCV 2017, Algorithm 1), in three forms.

Algorithm 1 lists the steps: G by L_G; P on predicted maps, P on real maps; C likewise; G by the whole objective.
``literal`` takes an optimizer step for each and runs G twice. The whole objective contains L_G, so that the other two
step G once:

- ``joint`` (default): G predicts once, and all networks take their gradients at the weights that the iteration started
  with; then all of them step. The same P and C score all parts of an accumulated batch, so that accumulating two
  batches equals one of twice the size. This deviates from Algorithm 1, where P and C step before they score for G.
- ``alternating``: P and C step before they score for G. It cannot accumulate gradients.

One iteration, from top to bottom: :meth:`AdversarialStep.generator_forward` gives L_G and the maps,
:meth:`~AdversarialStep.discriminator_backward` the gradients of a discriminator on real and predicted maps,
:meth:`~AdversarialStep.generator_step` steps G by L_G and the discriminators' terms, and
:meth:`~AdversarialStep.optimizer_step` steps a discriminator. The losses are those of
:mod:`~posestructs.models.losses.adversarial_loss`.

**Losses of a discriminator**, a module with the methods

- ``real(logits)`` and ``fake(logits, labels)``, minimised by D; or ``pairs(real, fake, labels)`` for both at once;
- ``generator(logits, labels)``, minimised by G; or ``generator_pairs(real, fake, labels)``, which also gets the logits
  of the targets; or ``generator_features(real, fake, labels)``, which gets lists of features in the place of logits,
  from D's method ``logits_and_features(maps, images)``;
- optionally ``update(real, fake)``, called after an iteration in which D was stepped, with D's logits summed over the
  joints and averaged over images and ranks; returns values to log;
- optionally the attribute ``log_odds``, False if the logits are no log-odds: no scores and accuracies are logged.

All return (N, K) losses. :class:`~posestructs.models.losses.AdversarialLoss` is the usual one.

Shapes: N batch, K joints, C channels of the maps, H x W cells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from posestructs.models.losses.adversarial_loss import per_image
from posestructs.models.pose_estimators.discriminator_targets import MapTargets, read_targets
from posestructs.models.pose_estimators.discriminator_terms import (
    Discriminator,
    at_least_float32,
    compare_gradients,
    generator_terms,
    gradient_at,
    gradient_penalty,
)
from posestructs.models.pose_estimators.network_modes import fixed_weights, inference
from posestructs.models.pose_estimators.optimizer_steps import finish_step, skip_step
from posestructs.models.pose_estimators.step_log import StepLog

ALGORITHMS = ('joint', 'alternating', 'literal')


class AdversarialStep:
    """The parts of an iteration, and their order.

    Args:
        data: Preprocessed batch: ``inputs`` (N, 3, h, w) and ``data_samples`` with labels.
        generator: Generator, called with images and samples; returns the losses of the head and the final maps.
        discriminators: Discriminators by name, in the same order on all ranks.
        networks: Networks to call for gradients, by name: 'generator' and the discriminators themselves, or their DDP
            views, which average gradients over ranks.
        optim: Optimizer wrapper of each network.
        parse_losses: mmengine's ``BaseModel.parse_losses``.
        stopped: Names of networks that take no step.
        unused: Names of discriminators that are not run at all.
        measure_gradients: Log the gradient of each discriminator's term at the final maps.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        generator: nn.Module,
        discriminators: Mapping[str, Discriminator],
        networks: Mapping[str, nn.Module],
        optim: Mapping[str, OptimWrapper],
        parse_losses: Callable[[dict], tuple[Tensor, Mapping[str, Tensor]]],
        stopped: Collection[str] = (),
        unused: Collection[str] = (),
        measure_gradients: bool = False,
    ) -> None:
        self.generator, self.discriminators = generator, discriminators
        self.networks, self.optim, self.parse_losses = networks, optim, parse_losses
        self.stopped, self.measure_gradients = stopped, measure_gradients
        self.active = [name for name in discriminators if name not in unused]
        self.inputs, self.samples = data['inputs'], data['data_samples']
        self.log = StepLog()
        self._targets: MapTargets | None = None

    # ------------------------------------------------------------------------------------------------ iterations

    def run(self, algorithm: str = 'joint') -> dict[str, Tensor]:
        """Run the iteration.

        Args:
            algorithm: One of :data:`ALGORITHMS`.

        Returns:
            dict[str, Tensor]: Values to log, the same on all ranks.
        """
        dict(joint=self._joint, alternating=self._alternating, literal=self._literal)[algorithm]()
        log = self.log.reduce()
        for name in self.active:
            loss = self.discriminators[name].loss
            if hasattr(loss, 'update') and name not in self.stopped:
                values = loss.update(log[f'{name}.logit_real'], log[f'{name}.logit_fake'])
                log.update({f'{name}.{key}': value for key, value in values.items()})
        return log

    def _joint(self) -> None:
        losses, maps = self.generator_forward()
        labels = self.joint_labels(maps)
        for name in self.active:
            self.discriminator_backward(name, maps.detach(), labels[name])
        self.generator_step(losses, maps, labels)
        for name in self.discriminators:
            self.optimizer_step(name)

    def _alternating(self) -> None:
        losses, maps = self.generator_forward()
        labels = self.joint_labels(maps)
        for name in self.discriminators:
            if name in self.active:
                self.discriminator_backward(name, maps.detach(), labels[name])
            self.optimizer_step(name)
        self.generator_step(losses, maps, labels)

    def _literal(self) -> None:
        losses, maps = self.generator_forward()
        if 'generator' not in self.stopped:
            # G by L_G
            self.optim['generator'].update_params(self.parse_losses(losses)[0])
        labels = self.joint_labels(maps)
        for name in self.active:
            self.discriminator_steps(name, maps.detach(), labels[name])
        # G by the whole objective
        losses, maps = self.generator_forward()
        self.generator_step(losses, maps, self.joint_labels(maps))

    # ------------------------------------------------------------------------------------------------ generator

    def generator_forward(self) -> tuple[dict, Tensor | None]:
        """Run the generator once.

        Returns:
            tuple[dict, Tensor | None]: Losses of the head, whose sum is L_G; (N, C, H, W) final maps, ``None`` without
            discriminators.
        """
        return self._forward('generator', self.generator, self.inputs, self.samples)

    def generator_step(self, losses: dict, maps: Tensor | None, labels: Mapping[str, Tensor]) -> None:
        """Step G by L_G + alpha L_C + beta L_P + ...

        Args:
            losses: Losses of the head; the discriminators' terms are added.
            maps: (N, C, H, W) final maps, with their graph.
            labels: (N, K) by discriminator, from :meth:`joint_labels`.
        """
        stopped = 'generator' in self.stopped
        reference = gradient_at(self.parse_losses(losses)[0], maps) if self.measure_gradients and not stopped else None
        for name, discriminator in self.discriminators.items():
            key, measured = f'loss_adv_{name}', reference is not None and name in self.active
            if stopped or (discriminator.weight == 0 and not measured):
                losses[key] = maps.new_zeros((), dtype=torch.float32)
                continue
            network = discriminator.network
            with fixed_weights(network, eval_mode=name in self.stopped), self.optim['generator'].optim_context(network):
                predicted = self.masked_maps(name, maps)
                terms = generator_terms(discriminator, self._real_maps(name), predicted, self.inputs, labels[name])
            term = per_image(terms, self._weights(name))
            losses[key] = discriminator.weight * term
            if measured:
                ratio, cosine = compare_gradients(gradient_at(term, maps), reference)
                self.log.add(f'{name}.grad_ratio', ratio)
                self.log.add(f'{name}.grad_cosine', cosine)
        total, log_vars = self.parse_losses(losses)
        for key, value in log_vars.items():
            self.log.add(key, value)
        if stopped:
            skip_step(self.optim['generator'])
        else:
            self.optim['generator'].update_params(total)

    # ------------------------------------------------------------------------------------------------ discriminators

    def discriminator_backward(self, name: str, maps: Tensor, labels: Tensor) -> None:
        """Accumulate the gradients of a discriminator, from real and predicted maps in one forward pass.

        Args:
            name: Name of the discriminator.
            maps: (N, C, H, W) predicted maps, detached.
            labels: (N, K) labels of predicted joints.
        """
        both = torch.cat([self._real_maps(name), self.masked_maps(name, maps)])
        penalised = any(self.discriminators[name].penalty) and name not in self.stopped
        logits = self._logits(name, both.requires_grad_() if penalised else both)
        real, fake = logits.chunk(2)
        if hasattr(self.discriminators[name].loss, 'pairs'):
            loss = self._pair_loss(name, real, fake, labels)
        else:
            loss = self._real_loss(name, real) + self._fake_loss(name, fake, labels)
        if penalised:
            penalty = gradient_penalty(logits, both, self._weights(name), self.discriminators[name].penalty)
            self.log.add(f'{name}.loss_penalty', penalty)
            loss = loss + penalty
        if name not in self.stopped:
            self.optim[name].backward(self.optim[name].scale_loss(loss))

    def discriminator_steps(self, name: str, maps: Tensor, labels: Tensor) -> None:
        """Step a discriminator on predicted maps, then on real ones.

        Args:
            name: Name of the discriminator.
            maps: (N, C, H, W) predicted maps, detached.
            labels: (N, K) labels of predicted joints.
        """
        loss = self._fake_loss(name, self._logits(name, self.masked_maps(name, maps)), labels)
        if name not in self.stopped:
            self.optim[name].update_params(loss)
        loss = self._real_loss(name, self._logits(name, self._real_maps(name)))
        if name not in self.stopped:
            self.optim[name].update_params(loss)

    def optimizer_step(self, name: str) -> None:
        """Step a discriminator by its gradients, if as many batches as configured are accumulated.

        Args:
            name: Name of the discriminator.
        """
        if name in self.stopped:
            skip_step(self.optim[name])
        else:
            finish_step(self.optim[name])

    def _logits(self, name: str, maps: Tensor) -> Tensor:
        return at_least_float32(self._forward(name, self.discriminators[name].network, maps, self.inputs))

    def _forward(self, name: str, network: nn.Module, *args: Any) -> Any:
        """Call a network for its gradients; one that is stopped is called without them, and without its DDP view."""
        if name in self.stopped:
            with inference(network), self.optim[name].optim_context(network):
                return network(*args)
        with self.optim[name].optim_context(self.networks[name]):
            return self.networks[name](*args)

    # ------------------------------------------------------------------------------------------------ losses and log

    def _real_loss(self, name: str, logits: Tensor) -> Tensor:
        loss = per_image(self.discriminators[name].loss.real(logits), self._weights(name))
        self.log.add(f'{name}.loss_real', loss)
        self._log_scores(f'{name}.%s_real', name, logits, torch.ones_like(logits))
        return loss

    def _fake_loss(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        loss = per_image(self.discriminators[name].loss.fake(logits, labels), self._weights(name))
        self.log.add(f'{name}.loss_fake', loss)
        self._log_scores(f'{name}.%s_fake', name, logits, labels)
        self.log.add_mean(f'{name}.share_right', labels, self._weights(name))
        return loss

    def _pair_loss(self, name: str, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
        """Loss of pairs; half of it is logged for each kind, and scores are those of the difference of logits."""
        loss = per_image(self.discriminators[name].loss.pairs(real, fake, labels), self._weights(name))
        for kind, ahead in (('real', real - fake), ('fake', fake - real)):
            self.log.add(f'{name}.loss_{kind}', loss / 2)
            expected = torch.full_like(labels, float(kind == 'real'))
            self._log_scores(f'{name}.%s_{kind}', name, ahead, expected, counted=1 - labels)
        self.log.add_mean(f'{name}.share_right', labels, self._weights(name))
        return loss

    def _log_scores(self, key: str, name: str, logits: Tensor, labels: Tensor, counted: Tensor | float = 1.0) -> None:
        logits, weights, loss = logits.detach(), self._weights(name) * counted, self.discriminators[name].loss
        if hasattr(loss, 'update'):
            self.log.add(key % 'logit', per_image(logits, weights))
        if not getattr(loss, 'log_odds', True):
            return
        self.log.add_mean(key % 'score', logits.sigmoid(), weights)
        self.log.add_mean(key % 'acc', ((logits > 0) == (labels > 0)).to(weights), weights)

    # ------------------------------------------------------------------------------------------------ maps and labels

    @property
    def targets(self) -> MapTargets:
        """Ground truth of the batch."""
        if self._targets is None:
            raise RuntimeError('AdversarialStep.targets is set by the first call of joint_labels')
        return self._targets

    def joint_labels(self, maps: Tensor | None) -> dict[str, Tensor]:
        """Labels t of predicted joints, for each discriminator.

        Args:
            maps: (N, C, H, W) final maps; ``None`` without discriminators.

        Returns:
            dict[str, Tensor]: (N, K) of 0 and 1 by name.
        """
        if not self.discriminators:
            return {}
        if self._targets is None:
            self._targets = read_targets(self.samples, maps)
        targets, joints = self._targets, self._targets.num_joints
        args = maps.detach()[:, :joints], targets.maps[:, :joints], targets.cells, targets.sizes
        return {name: each.labels(*args) for name, each in self.discriminators.items()}

    def masked_maps(self, name: str, maps: Tensor) -> Tensor:
        """Predicted maps as a discriminator sees them, with the channels of unlabelled joints set to zero.

        Targets are empty there: a discriminator would otherwise recognise predictions by these channels.

        Args:
            name: Name of the discriminator.
            maps: (N, C, H, W) predicted maps.

        Returns:
            Tensor: (N, C, H, W), or (N, K, H, W) for a discriminator of pose maps only.
        """
        return self._visible(name, self.targets.masked(maps))

    def _real_maps(self, name: str) -> Tensor:
        return self._visible(name, self.targets.masked(self.targets.maps))

    def _visible(self, name: str, maps: Tensor) -> Tensor:
        return maps[:, : self.targets.num_joints] if self.discriminators[name].pose_maps_only else maps

    def _weights(self, name: str) -> Tensor:
        """(N, K) joints that count for a discriminator."""
        return self.targets.weights(self.discriminators[name].label_rule)
