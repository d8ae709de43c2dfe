"""Top-down estimator trained with adversarial losses (Adversarial PoseNet, Chen et al., ICCV 2017).

Training: image -> backbone, neck, head -> maps. P scores the maps given the image, C scores the maps only; both score
each joint. One iteration is in :mod:`~posestructs.models.pose_estimators.adversarial_step`, the losses are in
:mod:`~posestructs.models.losses.adversarial_loss`, the configs of discriminators in
:mod:`~posestructs.models.pose_estimators.discriminator_config`. Everything else is ``TopdownPoseEstimator``.

Discriminators become part of the model when its training is set up, by
:meth:`AdversarialPoseEstimator.attach_discriminators`. Tests, mmpose's Inferencer and its FLOPs counter see the
generator only, unless ``keep`` names a discriminator that is part of the model from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from mmengine.model import ModuleDict
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpose.models import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.models.discriminators.map_discriminator import WIDTHS
from posestructs.models.losses.adversarial_loss import LABEL_RULES
from posestructs.models.pose_estimators.adversarial_step import ALGORITHMS, AdversarialStep
from posestructs.models.pose_estimators.calibrated_pose_estimator import CalibrationMixin
from posestructs.models.pose_estimators.discriminator_config import (
    PAPER,
    build_discriminators,
    named_configs,
    read_weights,
)
from posestructs.models.pose_estimators.discriminator_terms import Discriminator
from posestructs.models.pose_estimators.head_maps import losses_and_maps
from posestructs.models.pose_estimators.kept_discriminator import KeptDiscriminatorMixin, check_kept, check_weights
from posestructs.models.pose_estimators.loss_scale import warn_of_loss_scale
from posestructs.utils.checks import check_choice, check_keys, invalid_value

LOSS_KEYS = ('delta', 'epsilon', 'gate', 'generator_loss')
KEYS = ('alpha', 'beta', 'weights', 'algorithm', *LOSS_KEYS)
_PREFIX = 'discriminators.'
# tells an omitted argument from None, which switches off the discriminators of a base config
_OMITTED: Mapping[str, Any] = MappingProxyType({})


class GeneratorNetwork(nn.Module):
    """The generator's parameters as one module, and its forward pass for training.

    Args:
        parts: Modules by name: backbone, neck and head.
        run: The forward pass, :meth:`AdversarialPoseEstimator.generator_forward`.
    """

    def __init__(self, parts: Iterable[tuple[str, nn.Module]], run: Callable[[Tensor, list], tuple]) -> None:
        super().__init__()
        for name, part in parts:
            self.add_module(name, part)
        self.run = run

    def forward(self, inputs: Tensor, samples: list) -> tuple[dict, Tensor | None]:
        """(N, 3, h, w) images and their samples to losses and final maps."""
        return self.run(inputs, samples)


@MODELS.register_module()
class AdversarialPoseEstimator(KeptDiscriminatorMixin, CalibrationMixin, TopdownPoseEstimator):
    """``TopdownPoseEstimator`` with discriminators around its heatmaps.

    Train it with ``optim_wrapper=dict(constructor='NetworkOptimWrapperConstructor', generator=..., pose=...,
    confidence=...)``.

    Attributes:
        adversarial_weights: Weights of the discriminators' terms in the generator's loss, by name. A hook may change
            them.
        skip_steps: Names of networks that take no step. Discriminators among them are still scored, for the log. A hook
            may change it, in the same way on all ranks, and only where no accumulated batch is under way.
        frozen: Likewise; a frozen discriminator whose weight is 0 is not run at all, unless its gradient is measured.
        measure_gradients: Log the gradient of each discriminator's term at the maps in the next iterations; see
            :meth:`train_step`. A hook may change it, in the same way on all ranks.
        left_out: Names of networks that the config sets to ``None``; an optimizer config for one of them is ignored.
        label_rules: Label rule of each discriminator, by name.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck.
        head: Config of the head: :class:`~posestructs.models.heads.AdversarialHead`, or any heatmap head of mmpose.
        discriminators: Configs by name: 'pose' (P), 'confidence' (C) or any other, see
            :mod:`~posestructs.models.pose_estimators.discriminator_config`. ``None``, for one or for all, switches off
            those of a base config. ``type`` and ``label_rule`` of P and C, and ``num_joints``, ``with_occlusion``,
            ``map_sigma`` and, with ``pooling='fc'``, ``map_size`` of our classes are set by default, and so are
            ``pooling='joint'`` of P and C, and ``map_scale='unit_rms'`` of those that read the image, unless their
            ``preset`` is 'paper'.
        adversarial: Losses and their weights. ``alpha`` (1/220) and ``beta`` (1/180): weights of C and P; ``weights``:
            those of other discriminators, by name. ``algorithm``: 'joint', 'alternating' or 'literal'. ``delta``,
            ``epsilon``, ``gate``, ``generator_loss``: see :class:`~posestructs.models.losses.AdversarialLoss`. Not used
            without discriminators.
        preset: 'paper' for P and C as in the paper: 512 wide, unscaled maps, logits averaged over all cells. It is the
            ``preset`` of their configs, where these have none. ``None`` for the defaults that were found best.
        keep: Name of a discriminator to keep at test time, usually 'pose'. Its label rule must be 'p_fake': its score
            of a predicted joint is then the probability that the joint is within ``delta`` of its place, which
            predictions have as ``keypoints_correct``. ``None`` for none.
        **kwargs: ``train_cfg``, ``test_cfg``, ``data_preprocessor``, ``init_cfg`` and ``metainfo``, as in mmpose.

    Raises:
        ValueError: A key or a value is not allowed, or head and discriminators differ in the number of joints.
    """

    # read by posestructs.utils.launch
    model_wrapper = 'NetworkDistributedDataParallel'

    def __init__(
        self,
        backbone: Mapping,
        neck: Mapping | None = None,
        head: Mapping | None = None,
        discriminators: Mapping[str, Mapping | None] | None = _OMITTED,
        adversarial: Mapping[str, Any] | None = None,
        preset: str | None = None,
        keep: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        self.frozen: set[str] = set()
        self.skip_steps: set[str] = set()
        self.measure_gradients = False
        self.discriminators: ModuleDict | None = None
        for key, value in dict(discriminators=discriminators, adversarial=adversarial).items():
            if value is not None and not isinstance(value, Mapping):
                raise invalid_value(key, value, 'a dict or None')
        named = dict.fromkeys(PAPER) if discriminators is None else discriminators
        self.left_out = tuple(name for name, cfg in named.items() if cfg is None)
        configs = named_configs(named)
        check_choice('preset', preset, WIDTHS)
        adversarial = dict(adversarial or {})
        check_keys('adversarial', adversarial, KEYS)
        self.algorithm = check_choice('adversarial.algorithm', adversarial.get('algorithm', 'joint'), ALGORITHMS)
        # a tuple, so that nn.Module does not register them
        self._detached: tuple[ModuleDict, ...] = ()
        self.adversarial_loss: nn.Module | None = None
        self._inputs = {}
        if configs:
            loss = {key: value for key, value in adversarial.items() if key in LOSS_KEYS}
            self.adversarial_loss = MODELS.build(dict(type='AdversarialLoss', **loss))
            modules, self._inputs = build_discriminators(configs, self.head, preset)
            self._check_algorithm(modules)
            self._detached = (modules,)
            warn_of_loss_scale(self.head)
        ignored = adversarial.get('weights') or () if discriminators is None else self.left_out
        self.adversarial_weights = read_weights(adversarial, configs, ignored)
        self.label_rules = {name: inputs.label_rule for name, inputs in self._inputs.items()}
        self.keep = keep
        self._attached = False
        if keep is not None:
            check_kept(keep, self.label_rules, self.test_cfg)
            others = dict(self._detached[0].items())
            self.discriminators = ModuleDict({keep: others.pop(keep)})
            self._detached = (ModuleDict(others),) if others else ()

    def _check_algorithm(self, discriminators: ModuleDict) -> None:
        """Refuse losses of pairs and penalties with steps on one kind of maps at a time."""
        for name, network in discriminators.items():
            paired = hasattr(getattr(network, 'adversarial_loss', None), 'pairs')
            if self.algorithm == 'literal' and (paired or any(self._inputs[name].penalty)):
                what = f'discriminators.{name}.{"loss" if paired else "gradient_penalty"}'
                raise ValueError(
                    f"adversarial.algorithm='literal' steps discriminators on real and on predicted maps in turn, "
                    f"which {what} cannot do; allowed: 'joint', 'alternating'"
                )

    @property
    def alpha(self) -> float:
        """Weight of C's term in the generator's loss."""
        return self.adversarial_weights['confidence']

    @alpha.setter
    def alpha(self, value: float) -> None:
        self.adversarial_weights['confidence'] = value

    @property
    def beta(self) -> float:
        """Weight of P's term in the generator's loss."""
        return self.adversarial_weights['pose']

    @beta.setter
    def beta(self, value: float) -> None:
        self.adversarial_weights['pose'] = value

    @property
    def label_thresholds(self) -> dict[str, str | None]:
        """Key of ``adversarial`` that the labels of each discriminator depend on: 'delta', 'epsilon' or ``None``."""
        return {name: LABEL_RULES[rule] for name, rule in self.label_rules.items()}

    # ------------------------------------------------------------------------------------------------ networks

    def networks(self) -> dict[str, nn.Module]:
        """The networks that are trained separately.

        Returns:
            dict[str, nn.Module]: 'generator' (backbone, neck and head), then the discriminators by name, attached or
            not.
        """
        parts = [(name, part) for name, part in self.named_children() if name in ('backbone', 'neck', 'head')]
        return dict(generator=GeneratorNetwork(parts, self.generator_forward), **self._all_discriminators())

    def attach_discriminators(self) -> None:
        """Make the discriminators part of the model, on the device and in the precision of the backbone.

        Called when training is set up; further calls have no effect.
        """
        if self._detached:
            modules, self._detached = ModuleDict(self._all_discriminators()), ()
            weight = next(self.backbone.parameters())
            self.discriminators = modules.to(weight.device, weight.dtype).train(self.training)
        self._attached = True

    def _all_discriminators(self) -> dict[str, nn.Module]:
        parts = (*self._detached, *(() if self.discriminators is None else (self.discriminators,)))
        found = {name: module for part in parts for name, module in part.items()}
        return {name: found[name] for name in self._inputs}

    def generator_forward(self, inputs: Tensor, samples: list) -> tuple[dict, Tensor | None]:
        """One forward pass of the generator with labels.

        Args:
            inputs: (N, 3, h, w) images.
            samples: Their samples.

        Returns:
            tuple[dict, Tensor | None]: Losses of the head; (N, C, H, W) its final maps, ``None`` without
            discriminators.
        """
        feats = self.extract_feat(inputs)
        if self._all_discriminators():
            return losses_and_maps(self.head, feats, samples, self.train_cfg)
        return self.head.loss(feats, samples, train_cfg=self.train_cfg), None

    def reads_pose_maps_only(self, name: str) -> bool:
        """Check whether a discriminator leaves the occlusion maps of the head out."""
        return self._inputs[name].maps == 'pose' and bool(getattr(self.head, 'multi_task', False))

    def discriminator_logits(self, name: str, maps: Tensor, images: Tensor) -> Tensor:
        """Score maps with an attached discriminator.

        Args:
            name: Name of the discriminator.
            maps: (N, C, H, W) maps of the head; those of unlabelled joints should be zero, as in training.
            images: (N, 3, h, w) preprocessed images.

        Returns:
            Tensor: (N, K) logits.
        """
        if self.reads_pose_maps_only(name):
            maps = maps[:, : maps.shape[1] // 2]
        return self.discriminators[name](maps, images)

    # ------------------------------------------------------------------------------------------------ training

    def train_step(
        self, data: Any, optim_wrapper: OptimWrapper, networks: Mapping[str, nn.Module] | None = None
    ) -> dict[str, Tensor]:
        """One iteration.

        Args:
            data: A batch of the data loader.
            optim_wrapper: One wrapper per network; a single one is enough without discriminators.
            networks: DDP views of :meth:`networks`, which average gradients over ranks.

        Returns:
            dict[str, Tensor]: Values to log. ``loss`` is the generator's whole loss, ``loss_adv_NAME`` the weighted
            term of a discriminator in it. ``NAME.loss_real`` and ``NAME.loss_fake`` are the discriminator's own losses;
            ``NAME.score_real``, ``NAME.acc_real`` and so on its mean score and its accuracy, and ``NAME.share_right``
            is the share of predicted joints with the label 1. With ``measure_gradients``, ``NAME.grad_ratio`` is the
            norm of the gradient of the discriminator's term at the final maps, with a weight of 1, over that of L_G,
            and ``NAME.grad_cosine`` the cosine between the two.

        Raises:
            TypeError: There is one optimizer for several networks.
        """
        if not isinstance(optim_wrapper, OptimWrapperDict):
            if len(self.networks()) > 1:
                raise TypeError(
                    "optim_wrapper: discriminators need optimizers of their own; set constructor='"
                    f"NetworkOptimWrapperConstructor' and one config each for {', '.join(self.networks())}"
                )
            optim_wrapper = dict(generator=optim_wrapper)
        return self.build_step(data, optim_wrapper, networks).run(self.algorithm)

    def build_step(
        self, data: Any, optim: Mapping[str, OptimWrapper], networks: Mapping[str, nn.Module] | None = None
    ) -> AdversarialStep:
        """Collect what an iteration needs; arguments as for :meth:`train_step`."""
        self.attach_discriminators()
        own = self.networks()
        discriminators = {name: self._discriminator(name, net) for name, net in own.items() if name != 'generator'}
        idle = set() if self.measure_gradients else self.frozen
        return AdversarialStep(
            data=self.data_preprocessor(data, True),
            generator=own['generator'],
            discriminators=discriminators,
            networks=own if networks is None else networks,
            optim=optim,
            parse_losses=self.parse_losses,
            stopped=self.frozen | self.skip_steps,
            unused={name for name in discriminators if name in idle and self.adversarial_weights[name] == 0},
            measure_gradients=self.measure_gradients,
        )

    def _discriminator(self, name: str, network: nn.Module) -> Discriminator:
        rule, maps, penalty = self._inputs[name]
        return Discriminator(
            network=network,
            loss=getattr(network, 'adversarial_loss', self.adversarial_loss),
            labels=partial(self.adversarial_loss.labels, rule),
            label_rule=rule,
            pose_maps_only=maps == 'pose',
            weight=self.adversarial_weights[name],
            penalty=penalty,
        )

    def check_optim(self, optim: OptimWrapperDict) -> None:
        """Refuse accumulated gradients with an algorithm that steps within an iteration.

        Args:
            optim: Wrapper of each network.

        Raises:
            ValueError: ``accumulative_counts`` does not go with the algorithm.
        """
        for name, member in optim.items():
            if self.algorithm != 'joint' and member._accumulative_counts > 1:
                raise ValueError(
                    f'optim_wrapper.{name}.accumulative_counts={member._accumulative_counts}: with '
                    f'adversarial.algorithm={self.algorithm!r}, the batches of one step would be scored by different '
                    "networks; only 'joint' can accumulate gradients"
                )

    # ------------------------------------------------------------------------------------------------ checkpoints

    def _load_state_dict_pre_hook(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        """Remove weights of detached discriminators from a checkpoint; they load what fits them."""
        super()._load_state_dict_pre_hook(state_dict, prefix, *args, **kwargs)
        if self._attached:
            return
        kept = f'{prefix}{_PREFIX}{self.keep}.'
        if self.keep is not None:
            check_weights(self.keep, self.discriminators[self.keep], state_dict, kept)
        names = [name for name in state_dict if name.startswith(prefix + _PREFIX) and not name.startswith(kept)]
        found = {name.removeprefix(prefix + _PREFIX): state_dict.pop(name) for name in names}
        if self._detached and found:
            own = self._detached[0].state_dict()
            fitting = {k: v for k, v in found.items() if k in own and own[k].shape == v.shape}
            self._detached[0].load_state_dict(fitting, strict=False)
