"""Output selection and stage freezing, shared by backbones of consecutive stages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from mmpose.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from posestructs.utils.checks import check_integer, invalid_value


class StagedBackbone(BaseBackbone):
    """Consecutive stages of layers; a subclass defines them, and what precedes them.

    Args:
        out_indices: Stages to return.
        frozen_stages: Number of stages to freeze, see :meth:`_frozen`.
        norm_eval: Keep the running statistics of norm layers fixed in training.
        init_cfg: mmengine's ``init_cfg``.
    """

    def __init__(
        self,
        out_indices: Sequence[int],
        frozen_stages: int,
        norm_eval: bool,
        init_cfg: dict | Sequence[dict] | None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.out_indices, self.frozen_stages, self.norm_eval = tuple(out_indices), frozen_stages, norm_eval

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of the selected stages.

        Args:
            x: (N, channels, H, W) images.

        Returns:
            tuple[Tensor, ...]: One map for each of ``out_indices``.
        """
        x, maps = self._begin(x), []
        for stage in range(max(self.out_indices) + 1):
            for layer in self._stage(stage):
                x = layer(x)
            if stage in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> StagedBackbone:
        """Set the mode; frozen stages and, with ``norm_eval``, norm layers stay in evaluation mode.

        Args:
            mode: True for training, False for evaluation.

        Returns:
            StagedBackbone: The module.
        """
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _begin(self, x: Tensor) -> Tensor:
        """Process images before the first stage."""
        return x

    @abstractmethod
    def _stage(self, stage: int) -> Iterable[nn.Module]:
        """Layers of a stage."""

    def _frozen(self) -> Iterable[nn.Module]:
        """Layers to freeze: those of the first ``frozen_stages`` stages."""
        return [layer for stage in range(self.frozen_stages) for layer in self._stage(stage)]

    def _freeze_stages(self) -> None:
        for layer in self._frozen():
            layer.eval()
            layer.requires_grad_(False)


def refuse_foreign_weights(module: nn.Module, state_dict: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Refuse a checkpoint that has no weight of a backbone, which mmengine would leave at its random values.

    A pre-hook of ``load_state_dict``, to be registered after those that rename weights. Checkpoints of whole models are
    compared elsewhere (:mod:`posestructs.utils.weights_fit`).

    Args:
        module: The backbone.
        state_dict: Weights of the checkpoint.
        prefix: Prefix of the backbone's weights; one that is not empty is that of a whole model.

    Raises:
        ValueError: No weight has both name and shape of one of the backbone's; says how many and which are missing.
    """
    own = module.state_dict()
    if prefix or any(
        name in own and own[name].shape == getattr(value, 'shape', None) for name, value in state_dict.items()
    ):
        return
    raise ValueError(
        f'the checkpoint has none of the {len(own)} weights of {type(module).__name__}, first '
        f'{", ".join(list(own)[:3])}; its own {len(state_dict)} begin with {", ".join(list(state_dict)[:3])} '
        "(weights of a whole model need init_cfg=dict(prefix='backbone.', ...))"
    )


def check_stages(out_indices: Sequence[int], frozen_stages: int, last: int, last_frozen: int) -> None:
    """Check indices of stages.

    Args:
        out_indices: Stages to return.
        frozen_stages: Number of stages to freeze; -1 for none.
        last: Index of the last stage.
        last_frozen: Greatest value of ``frozen_stages``.

    Raises:
        ValueError: The stages to return are not ascending, or a value is out of range.
    """
    chosen = list(out_indices)
    if not chosen or chosen != sorted(set(chosen)) or not set(chosen) <= set(range(last + 1)):
        raise invalid_value('backbone.out_indices', out_indices, f'ascending stages from 0 to {last}')
    check_integer('backbone.frozen_stages', frozen_stages, -1, last_frozen)
