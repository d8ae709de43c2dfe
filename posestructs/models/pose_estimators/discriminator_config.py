"""Read the configs of discriminators, and build them to fit an estimator's head.

Any number of discriminators, each under a name of its own::

    discriminators=dict(
        pose=dict(),                                             # the paper's P
        confidence=dict(),                                       # the paper's C
        limbs=dict(type='LimbDiscriminator', label_rule='p_fake', input_maps='pose'),  # another one
    ),
    adversarial=dict(alpha=1 / 220, beta=1 / 180, weights=dict(limbs=1 / 180)),

``type`` and ``label_rule`` of 'pose' and 'confidence' are known. Another discriminator states its ``type`` in the
config, and ``label_rule`` and ``input_maps`` there or as attributes of its class. Two more keys are for any of them::

    pose=dict(
        loss=dict(type='RelativisticLoss'),         # losses other than those of AdversarialLoss
        gradient_penalty=dict(r1=1.0, r2=1.0),      # gradient penalties at real and at predicted maps
    )

The module of ``loss`` becomes the discriminator's attribute ``adversarial_loss``, and is saved with it. A class may set
the attribute itself, or name a default as ``default_loss``. It has the methods ``real``, ``fake`` and ``generator``, or
others in their place: see :mod:`~posestructs.models.pose_estimators.adversarial_step`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from mmengine.dist import get_world_size
from mmengine.model import ModuleDict, revert_sync_batchnorm
from mmpose.registry import MODELS
from torch import nn

from posestructs.models.discriminators import ConfidenceDiscriminator, MapDiscriminator, PoseDiscriminator
from posestructs.models.discriminators.map_discriminator import UNIT_RMS
from posestructs.models.losses.adversarial_loss import LABEL_RULES
from posestructs.utils.checks import check_choice, check_keys, check_number, invalid_value, list_names

#: the paper's discriminators: type, label rule, and name of the weight
PAPER = dict(pose=('PoseDiscriminator', 'p_fake', 'beta'), confidence=('ConfidenceDiscriminator', 'c_fake', 'alpha'))
INPUT_MAPS = ('all', 'pose')


class Penalty(NamedTuple):
    """Weights of the gradient penalties R1 and R2 of a discriminator (Mescheder et al., ICML 2018).

    ``r1 / 2`` and ``r2 / 2`` times the squared norm of the gradient of the sum of its logits with respect to the maps
    of an image, averaged over images.

    Attributes:
        r1: Weight at real maps.
        r2: Weight at predicted maps.
    """

    r1: float = 0.0
    r2: float = 0.0


class DiscriminatorInputs(NamedTuple):
    """Maps, labels and penalties of a discriminator.

    Attributes:
        label_rule: One of ``LABEL_RULES``.
        maps: 'all' for pose and occlusion maps, 'pose' for pose maps only.
        penalty: Its gradient penalties.
    """

    label_rule: str
    maps: str
    penalty: Penalty = Penalty()


def named_configs(discriminators: Mapping[str, Mapping | None]) -> dict[str, Mapping]:
    """Configs of the discriminators that are used, in a fixed order: P, C, then others as they stand in the config.

    Args:
        discriminators: Configs by name; ``None`` for one that is left out.

    Returns:
        dict[str, Mapping]: Those that are not ``None``.

    Raises:
        ValueError: A name or a config is not allowed.
    """
    for name, cfg in discriminators.items():
        if not isinstance(name, str) or not name.isidentifier() or name == 'generator' or hasattr(ModuleDict, name):
            raise ValueError(
                f"discriminators: name {name!r}, allowed: an identifier other than 'generator' and names of methods"
            )
        if cfg is not None and not isinstance(cfg, Mapping):
            raise invalid_value(f'discriminators.{name}', cfg, 'a dict or None')
    order = [*(name for name in PAPER if name in discriminators), *(n for n in discriminators if n not in PAPER)]
    return {name: discriminators[name] for name in order if discriminators[name] is not None}


def read_weights(adversarial: Mapping[str, Any], names: Iterable[str], left_out: Iterable[str]) -> dict[str, float]:
    """Weights of the discriminators' terms in the generator's loss.

    Args:
        adversarial: The estimator's ``adversarial``.
        names: Names of the discriminators that are used.
        left_out: Names that the config sets to ``None``.

    Returns:
        dict[str, float]: By name; always of 'pose' (``beta``) and 'confidence' (``alpha``).

    Raises:
        ValueError: A weight is missing, negative, or of an unknown discriminator.
    """
    defaults, others = dict(alpha=1 / 220, beta=1 / 180), adversarial.get('weights', {})
    if not isinstance(others, Mapping):
        raise invalid_value('adversarial.weights', others, 'a dict from names of discriminators to numbers')
    weights = {
        name: float(check_number(f'adversarial.{key}', adversarial.get(key, defaults[key]), 0))
        for name, (_, _, key) in sorted(PAPER.items())
    }
    for name, value in others.items():
        if name in PAPER:
            raise ValueError(f'adversarial.weights.{name}: the weight of {name!r} is adversarial.{PAPER[name][2]}')
        if name not in names and name not in left_out:
            raise ValueError(f'adversarial.weights.{name}: no such discriminator, the model has {list_names(names)}')
        weights[name] = float(check_number(f'adversarial.weights.{name}', value, 0))
    if missing := [name for name in names if name not in weights]:
        raise ValueError(f'adversarial.weights: missing {list_names(missing)}, needed: a number of at least 0 for each')
    return weights


def build_discriminators(
    configs: Mapping[str, Mapping], head: nn.Module, preset: str | None = None
) -> tuple[ModuleDict, dict[str, DiscriminatorInputs]]:
    """Build discriminators that fit a head.

    Random numbers are drawn from a copy of the generator's state, so that the generator and the order of the images are
    the same with and without discriminators.

    Args:
        configs: Configs by name, from :func:`named_configs`.
        head: Head of the estimator.
        preset: ``preset`` of P and C, unless their configs have one.

    Returns:
        tuple[ModuleDict, dict[str, DiscriminatorInputs]]: Modules and inputs by name.

    Raises:
        TypeError: A discriminator does not take an argument.
        ValueError: An argument is not allowed, or does not fit the head.
    """
    modules, inputs = ModuleDict(), {}
    with torch.random.fork_rng(devices=[]):
        for name, cfg in configs.items():
            common = {} if preset is None or name not in PAPER else dict(preset=preset)
            modules[name], inputs[name] = _build(name, {**common, **cfg}, head)
    # not in a distributed run, where mmengine leaves SyncBN in the rest of the model as well
    return revert_sync_batchnorm(modules) if get_world_size() == 1 else modules, inputs


def _build(name: str, cfg: dict[str, Any], head: nn.Module) -> tuple[nn.Module, DiscriminatorInputs]:
    default_type, default_rule, _ = PAPER.get(name, (None, None, None))
    if cfg.setdefault('type', default_type) is None:
        raise ValueError(f'discriminators.{name}: missing type, which only {list_names(PAPER)} have by default')
    kind = cfg['type'] if isinstance(cfg['type'], type) else MODELS.get(cfg['type'])
    rule = cfg.pop('label_rule', default_rule or getattr(kind, 'label_rule', None))
    maps = cfg.pop('input_maps', getattr(kind, 'input_maps', 'all'))
    loss = cfg.pop('loss', getattr(kind, 'default_loss', None))
    inputs = DiscriminatorInputs(
        check_choice(f'discriminators.{name}.label_rule', rule, LABEL_RULES),
        check_choice(f'discriminators.{name}.input_maps', maps, INPUT_MAPS),
        _read_penalty(f'discriminators.{name}.gradient_penalty', cfg.pop('gradient_penalty', None)),
    )
    fits_head = isinstance(kind, type) and issubclass(kind, MapDiscriminator)
    if fits_head:
        _fit(name, kind, cfg, inputs, head)
    try:
        network = MODELS.build(cfg)
        if loss is not None:
            network.adversarial_loss = _build_loss(loss, network)
    except (TypeError, ValueError) as error:
        raise type(error)(f'discriminators.{name}: {error}') from error
    size = _map_size(head)
    if fits_head and size is not None and any(side % network.multiple for side in size):
        raise ValueError(
            f'discriminators.{name}: its depth needs maps whose sides are multiples of {network.multiple}, those of '
            f'head are {size[0]} x {size[1]} (width x height)'
        )
    return network, inputs


def _build_loss(cfg: Mapping[str, Any], network: nn.Module) -> Any:
    loss = MODELS.build(dict(cfg))
    if not any(hasattr(loss, method) for method in ('generator', 'generator_pairs', 'generator_features')):
        raise invalid_value('loss', cfg, 'a loss of discriminators, such as BEGANLoss, RelativisticLoss')
    if not getattr(loss, 'log_odds', True) and getattr(network, 'log_odds', True):
        raise ValueError(
            f'loss={type(loss).__name__!r}, allowed with {type(network).__name__}: a loss of log-odds, such as '
            'RelativisticLoss; its logits are no errors of reconstruction, as those of MapAutoEncoder'
        )
    return loss


def _read_penalty(key: str, value: Mapping[str, float] | None) -> Penalty:
    if value is None:
        return Penalty()
    check_keys(key, value, Penalty._fields)
    return Penalty(**{name: float(check_number(f'{key}.{name}', weight, 0)) for name, weight in value.items()})


def _fit(name: str, kind: type, cfg: dict[str, Any], inputs: DiscriminatorInputs, head: nn.Module) -> None:
    """Complete the config of a MapDiscriminator with the properties of the head; what the config sets must agree."""
    if isinstance(cfg.get('map_size'), list):  # from a yaml or json config
        cfg['map_size'] = tuple(cfg['map_size'])
    found, size, sigma = {}, _map_size(head), getattr(getattr(head, 'decoder', None), 'sigma', None)
    if kind in (PoseDiscriminator, ConfidenceDiscriminator) and cfg.get('preset') != 'paper':
        # the mean over all cells hardly depends on the few at the joint
        cfg.setdefault('pooling', 'joint')
    if isinstance(getattr(head, 'out_channels', None), int):
        occlusion = bool(getattr(head, 'multi_task', False)) and inputs.maps == 'all'
        found = dict(num_joints=head.out_channels, with_occlusion=occlusion)
    if cfg.get('pooling') == 'fc' and size is not None:
        found['map_size'] = size
    for key, value in found.items():
        if cfg.setdefault(key, value) != value:
            raise ValueError(f'discriminators.{name}.{key}={cfg[key]!r}, but the maps of head have {value!r}')
    if isinstance(sigma, (int, float)):
        # beside an image the maps would otherwise not be seen; the paper does not scale them
        if issubclass(kind, PoseDiscriminator) and cfg.get('preset') != 'paper':
            cfg.setdefault('map_scale', UNIT_RMS)
        if cfg.get('map_scale') == UNIT_RMS or cfg.get('redraw'):
            cfg.setdefault('map_sigma', float(sigma))


def _map_size(head: nn.Module) -> tuple[int, int] | None:
    """(W, H) of the head's maps in cells, if its decoder has them."""
    size = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
    return None if size is None else (int(size[0]), int(size[1]))
