"""A top-down estimator that discriminators teach while it trains (Adversarial PoseNet, Chen et al., ICCV 2017).

Training: image -> backbone, neck, head -> maps; P judges maps and image, C judges maps, each joint by joint. An
iteration is in :mod:`~posestructs.models.pose_estimators.adversarial_step`, the losses in
:mod:`~posestructs.models.losses.adversarial_loss`. Everything else is ``TopdownPoseEstimator``: P and C join the model
when it is about to be trained and not before, so that testing, mmpose's Inferencer and its FLOPs counter see the
generator only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import ModuleDict, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpose.models import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.discriminators import MapDiscriminator
from posestructs.models.pose_estimators.adversarial_step import ALGORITHMS, AdversarialStep
from posestructs.models.pose_estimators.head_maps import supervise, warn_of_scale

TYPES = dict(pose='PoseDiscriminator', confidence='ConfidenceDiscriminator')
LOSS_KEYS = ('delta', 'epsilon', 'gate', 'generator_loss')
_PREFIX = 'discriminators.'
# unlike None, which says that optimizers for discriminators are not to be minded
_NOT_GIVEN: Mapping[str, Any] = MappingProxyType({})


class GeneratorNetwork(nn.Module):
    """The generator's parameters as one module, and its forward pass for training.

    Args:
        parts: Modules by name, backbone, neck and head.
        run: Images and samples to losses and maps.
    """

    def __init__(self, parts: Iterable[tuple[str, nn.Module]], run: Callable[[Tensor, list], tuple]) -> None:
        super().__init__()
        for name, part in parts:
            self.add_module(name, part)
        self.run = run

    def forward(self, inputs: Tensor, samples: list) -> tuple[dict, Tensor | None]:
        """(B, 3, h, w) images and their samples to what :meth:`AdversarialPoseEstimator.supervise` gives."""
        return self.run(inputs, samples)


@MODELS.register_module()
class AdversarialPoseEstimator(TopdownPoseEstimator):
    """``TopdownPoseEstimator`` with discriminators around its heatmaps.

    Train it with ``optim_wrapper=dict(constructor='NetworkOptimWrapperConstructor', generator=..., pose=...,
    confidence=...)``.

    Attributes:
        alpha: Weight of C's term in the generator's loss from now on; a hook may set it.
        beta: Likewise of P's term.
        skip_steps: Names of networks that take no step; discriminators are still scored for the log. A hook may change
            it; all ranks alike, and with accumulated gradients where a batch begins.
        frozen: Likewise; a frozen discriminator whose weight is 0 is not run at all.
        left_out: Names of networks that the config sets to ``None``; an optimizer for one is no mistake.

    Args:
        backbone: As in mmpose.
        neck: As in mmpose.
        head: :class:`~posestructs.models.heads.AdversarialHead`, or any head of mmpose that yields heatmaps.
        discriminators: Configs by name, 'pose' and 'confidence'; either, both or none. ``None``, of one or of all,
            leaves out what a base config has. ``type``, ``num_joints``, ``with_occlusion`` and, for ``pooling='fc'``,
            ``map_size`` follow from the name and the head by default.
        adversarial: ``alpha`` (1/220) and ``beta`` (1/180), weights of C's and P's terms; ``algorithm``, 'joint',
            'alternating' or 'literal'; ``delta``, ``epsilon``, ``gate``, ``generator_loss``, see
            :class:`~posestructs.models.losses.AdversarialLoss`. Not read without discriminators.
        **kwargs: As in mmpose: ``train_cfg``, ``test_cfg``, ``data_preprocessor``, ``init_cfg``, ``metainfo``.

    Raises:
        ValueError: A key or value is not possible, or the joints of head and discriminators differ in number.
    """

    # read by posestructs.utils.launch
    model_wrapper = 'NetworkDistributedDataParallel'

    def __init__(
        self,
        backbone: Mapping,
        neck: Mapping | None = None,
        head: Mapping | None = None,
        discriminators: Mapping[str, Mapping | None] | None = _NOT_GIVEN,
        adversarial: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        self.frozen: set[str] = set()
        self.skip_steps: set[str] = set()
        self.discriminators: ModuleDict | None = None
        _check_dicts(discriminators=discriminators, adversarial=adversarial)
        named = dict.fromkeys(TYPES) if discriminators is None else discriminators
        self.left_out = tuple(name for name in TYPES if named.get(name, {}) is None)
        configs = {name: cfg for name, cfg in named.items() if cfg is not None}
        _check_dicts(**{f'discriminators.{name}': cfg for name, cfg in configs.items()})
        self._read_adversarial(dict(adversarial or {}), bool(configs))
        # in a tuple, lest they count as parts of the model
        self._waiting = (self._build_discriminators(configs),) if configs else ()
        if configs:
            warn_of_scale(self.head)

    # ------------------------------------------------------------------------------------------------ building

    def _read_adversarial(self, adversarial: dict, used: bool) -> None:
        own = dict(alpha=1 / 220, beta=1 / 180, algorithm='joint')
        unknown = sorted(set(adversarial) - set(own) - set(LOSS_KEYS))
        if unknown:
            raise ValueError(f'adversarial: unknown {", ".join(unknown)}, allowed: {", ".join([*own, *LOSS_KEYS])}')
        loss = {key: value for key, value in adversarial.items() if key in LOSS_KEYS}
        own |= {key: value for key, value in adversarial.items() if key in own}
        for key in ('alpha', 'beta'):
            if not isinstance(own[key], Real) or isinstance(own[key], bool) or not 0 <= own[key] < float('inf'):
                raise ValueError(f'adversarial.{key}={own[key]!r}, allowed: a number of at least 0')
        if own['algorithm'] not in ALGORITHMS:
            raise ValueError(f'adversarial.algorithm={own["algorithm"]!r}, allowed: {ALGORITHMS}')
        self.alpha, self.beta, self.algorithm = float(own['alpha']), float(own['beta']), own['algorithm']
        self.adversarial_loss = MODELS.build(dict(type='AdversarialLoss', **loss)) if used else None

    def _build_discriminators(self, configs: Mapping[str, Mapping]) -> ModuleDict:
        unknown = [name for name in configs if name not in TYPES]
        if unknown:
            raise ValueError(f'discriminators: unknown network {", ".join(unknown)}, allowed: {", ".join(TYPES)}')
        # whatever they draw, the generator and the order of the images are those of the same seed without them
        with torch.random.fork_rng(devices=[]):
            return ModuleDict({n: self._build_discriminator(n, configs[n]) for n in TYPES if n in configs})

    def _build_discriminator(self, name: str, cfg: Mapping) -> nn.Module:
        cfg = dict(type=TYPES[name]) | dict(cfg)
        if isinstance(cfg.get('map_size'), list):  # as yaml and json configs have it
            cfg['map_size'] = tuple(cfg['map_size'])
        kind = cfg['type'] if isinstance(cfg['type'], type) else MODELS.get(cfg['type'])
        own = isinstance(kind, type) and issubclass(kind, MapDiscriminator)
        for key, value in self._facts_of_head(cfg).items() if own else ():
            if cfg.setdefault(key, value) != value:
                raise ValueError(f'discriminators.{name}.{key}={cfg[key]!r}, but the maps of head have {value!r}')
        try:
            network = MODELS.build(cfg)
        except (TypeError, ValueError) as error:
            raise type(error)(f'discriminators.{name}: {error}') from error
        size = self._map_size()
        if own and size is not None and any(side % network.multiple for side in size):
            raise ValueError(
                f'discriminators.{name}: its depth needs maps whose sides are multiples of {network.multiple}, those '
                f'of head are {size[0]} x {size[1]} (width x height)'
            )
        return network

    def _facts_of_head(self, cfg: Mapping) -> dict[str, Any]:
        """What a discriminator has to be built for, as far as the head tells."""
        facts, head, size = {}, self.head, self._map_size()
        if isinstance(getattr(head, 'out_channels', None), int):
            facts = dict(num_joints=head.out_channels, with_occlusion=bool(getattr(head, 'multi_task', False)))
        if cfg.get('pooling') == 'fc' and size is not None:
            facts['map_size'] = size
        return facts

    def _map_size(self) -> tuple[int, int] | None:
        """(W, H) of the head's maps in cells, where its decoder tells."""
        size = getattr(getattr(self.head, 'decoder', None), 'heatmap_size', None)
        return None if size is None else (int(size[0]), int(size[1]))

    # ------------------------------------------------------------------------------------------------ networks

    def networks(self) -> dict[str, nn.Module]:
        """The networks that are trained apart; from the first call on the discriminators are part of the model.

        Returns:
            dict[str, nn.Module]: 'generator' (backbone, neck and head), then 'pose' and 'confidence' where there are.
        """
        self._attach()
        parts = [(n, m) for n, m in self.named_children() if n in ('backbone', 'neck', 'head')]
        networks = dict(generator=GeneratorNetwork(parts, self.supervise))
        return networks | dict(self.discriminators.items() if self.discriminators is not None else ())

    def coefficient(self, name: str) -> float:
        """Present weight of a discriminator's term in the generator's loss: alpha of 'confidence', beta of 'pose'."""
        return self.beta if name == 'pose' else self.alpha

    def supervise(self, inputs: Tensor, samples: list) -> tuple[dict, Tensor | None]:
        """One forward pass of the generator with labels.

        Args:
            inputs: (B, 3, h, w) images.
            samples: Their samples.

        Returns:
            tuple[dict, Tensor | None]: Losses of the head; (B, C, H, W), its final maps, if discriminators want them.
        """
        feats = self.extract_feat(inputs)
        if self._waiting or self.discriminators is not None:
            return supervise(self.head, feats, samples, self.train_cfg)
        return self.head.loss(feats, samples, train_cfg=self.train_cfg), None

    def check_optim(self, optim: OptimWrapperDict) -> None:
        """Refuse to accumulate gradients where a step comes amid an iteration.

        Args:
            optim: Wrapper of each network.

        Raises:
            ValueError: ``accumulative_counts`` does not go with the algorithm.
        """
        for name, member in optim.items():
            if self.algorithm != 'joint' and member._accumulative_counts > 1:
                raise ValueError(
                    f'optim_wrapper.{name}.accumulative_counts={member._accumulative_counts}: with '
                    f'adversarial.algorithm={self.algorithm!r} the batches of one step would be scored by different '
                    "networks; only 'joint' accumulates"
                )

    def train_step(
        self, data: Any, optim_wrapper: OptimWrapper, networks: Mapping[str, nn.Module] | None = None
    ) -> dict[str, Tensor]:
        """One iteration.

        Args:
            data: A batch of the data loader.
            optim_wrapper: One wrapper per network; without discriminators a plain one will do.
            networks: Views of :meth:`networks` that average gradients over ranks.

        Returns:
            dict[str, Tensor]: What to log. ``loss`` is the generator's whole loss and ``loss_adv_NAME`` the part of a
            discriminator, weighted; ``NAME.loss_real`` and ``NAME.loss_fake`` are a discriminator's own, beside its
            score, its accuracy (``score_real``, ``acc_real``, ...) and the share of labels that are 1
            (``share_right``).

        Raises:
            TypeError: There is one optimizer for several networks.
        """
        networks = self.networks() if networks is None else networks
        if not isinstance(optim_wrapper, OptimWrapperDict):
            if len(networks) > 1:
                raise TypeError(
                    "optim_wrapper: discriminators need optimizers of their own; set constructor='"
                    f"NetworkOptimWrapperConstructor' and one config each for {', '.join(networks)}"
                )
            optim_wrapper = dict(generator=optim_wrapper)
        data = self.data_preprocessor(data, True)
        return AdversarialStep(self, data, networks, optim_wrapper).run()

    def _attach(self) -> None:
        """Make the discriminators part of the model, where its weights are."""
        if not self._waiting:
            return
        (discriminators,), self._waiting = self._waiting, ()
        if get_world_size() == 1:
            discriminators = revert_sync_batchnorm(discriminators)
        weight = next(self.backbone.parameters())
        self.discriminators = discriminators.to(weight.device, weight.dtype).train(self.training)

    def _load_state_dict_pre_hook(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        """Take what is of discriminators out of a checkpoint, where they are no part of the model (yet)."""
        super()._load_state_dict_pre_hook(state_dict, prefix, *args, **kwargs)
        if self.discriminators is not None:
            return
        names = [name for name in state_dict if name.startswith(prefix + _PREFIX)]
        found = {name.removeprefix(prefix + _PREFIX): state_dict.pop(name) for name in names}
        if self._waiting and found:
            own = self._waiting[0].state_dict()
            fitting = {k: v for k, v in found.items() if k in own and own[k].shape == v.shape}
            self._waiting[0].load_state_dict(fitting, strict=False)


def _check_dicts(**values: Any) -> None:
    for key, value in values.items():
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f'{key}={value!r}, allowed: a dict or None')
