"""Diagnostics of discriminators on labelled samples: how well they rank joints, how large their gradients are.

- AUROC of right against wrong joints within *predicted* maps, by the discriminator, by the height of the map's peak,
  and by both: above what the peak says, the discriminator knows something about poses;
- AUROC of target against predicted joints: near 1 alone it may know only what targets look like;
- norm and cosine of the gradient of its term at the final maps, against those of L_G;
- share of predicted joints with the label 1.

A joint is right if it is within ``adversarial.delta`` of its true position, in sizes of the person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from posestructs.evaluation.calibration import auroc
from posestructs.evaluation.joint_ranking import ranking
from posestructs.models.losses.adversarial_loss import labels_by_distance, per_image
from posestructs.models.pose_estimators.adversarial_step import AdversarialStep
from posestructs.models.pose_estimators.discriminator_terms import (
    at_least_float32,
    compare_gradients,
    generator_terms,
    gradient_at,
)
from posestructs.models.pose_estimators.network_modes import fixed_weights


def diagnose(model: Any, batches: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Diagnose all discriminators of a model in evaluation mode.

    Args:
        model: :class:`~posestructs.models.pose_estimators.AdversarialPoseEstimator` with its weights.
        batches: Batches of a data loader, with targets.

    Returns:
        dict[str, dict[str, float]]: By name of the discriminator: ``auroc_discriminator``, ``auroc_peak`` and
        ``auroc_together`` of right joints within predicted maps, ``auroc_real`` of targets against predictions,
        ``logit_real``, ``logit_fake``, and for logits that are log-odds ``score_real`` and ``score_fake``, means over
        joints; ``share_right``, ``grad_ratio`` (with a weight of 1), ``grad_share`` (with the model's own weight),
        ``grad_cosine``, ``joints``.

    Raises:
        ValueError: The model has no discriminators, or there is no batch.
    """
    model.attach_discriminators()
    model.eval()
    # networks are not stepped; the iteration needs the wrappers' contexts alone
    optim = {
        name: OptimWrapper(torch.optim.SGD(network.parameters(), lr=0.0)) for name, network in model.networks().items()
    }
    found: dict[str, defaultdict[str, list]] = {}
    count = 0
    for batch in batches:
        step = model.build_step(batch, optim)
        for name, values in _read_batch(model, step, count).items():
            into = found.setdefault(name, defaultdict(list))
            for key, value in values.items():
                into[key].append(value)
        count += len(step.samples)
    if not found:
        raise ValueError('diagnose: the model has no discriminators, or there is no batch')
    return {
        name: _summarise(model, name, {key: np.concatenate(parts) for key, parts in values.items()})
        for name, values in found.items()
    }


def _read_batch(model: Any, step: AdversarialStep, first: int) -> dict[str, dict[str, np.ndarray]]:
    losses, maps = step.generator_forward()
    labels = step.joint_labels(maps)
    targets = step.targets
    pose = maps.detach()[:, : targets.num_joints]
    right = labels_by_distance(pose, targets.cells, targets.sizes, model.adversarial_loss.delta)
    reference = gradient_at(model.parse_losses(losses)[0], maps)
    counted = targets.weights('p_fake') > 0
    person = (torch.arange(len(pose)) + first).to(pose.device).unsqueeze(1).expand_as(right)
    shared = dict(right=right > 0, peak=pose.amax((2, 3)), person=person)
    found = {}
    for name, own in step.discriminators.items():
        real, fake = step.masked_maps(name, targets.maps), step.masked_maps(name, maps)
        with fixed_weights(own.network, eval_mode=False):
            term = per_image(
                generator_terms(own, real, fake, step.inputs, labels[name]), targets.weights(own.label_rule)
            )
            ratio, cosine = compare_gradients(gradient_at(term, maps), reference)
            with torch.no_grad():
                logits = at_least_float32(own.network(torch.cat([real, fake.detach()]), step.inputs))
        values = dict(shared, real=logits.chunk(2)[0], fake=logits.chunk(2)[1], label=labels[name])
        found[name] = {key: _numpy(value[counted]) for key, value in values.items()}
        found[name] |= dict(ratio=_numpy(ratio[None]), cosine=_numpy(cosine[None]))
    return found


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _summarise(model: Any, name: str, values: Mapping[str, np.ndarray]) -> dict[str, float]:
    ranked = ranking(dict(discriminator=values['fake'], peak=values['peak']), values['right'], values['person'])
    both = np.concatenate([values['real'], values['fake']])
    out = {f'auroc_{key}': value for key, value in ranked.items()}
    real = auroc(both, np.arange(len(both)) < len(values['real']))
    out |= {} if real is None else dict(auroc_real=real)
    for kind in ('real', 'fake'):
        out[f'logit_{kind}'] = float(values[kind].mean())
        loss = getattr(model.discriminators[name], 'adversarial_loss', None)
        if getattr(loss, 'log_odds', True) and not hasattr(loss, 'pairs'):
            out[f'score_{kind}'] = float((1 / (1 + np.exp(-values[kind].astype(np.float64)))).mean())
    ratio = float(values['ratio'].mean())
    return out | dict(
        share_right=float(values['label'].mean()),
        grad_ratio=ratio,
        grad_share=ratio * model.adversarial_weights[name],
        grad_cosine=float(values['cosine'].mean()),
        joints=len(values['right']),
    )
