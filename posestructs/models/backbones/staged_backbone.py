"""What backbones of stages in a row have in common: which maps they return, and what of them keeps still."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from mmpose.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn


class StagedBackbone(BaseBackbone):
    """Layers in stages. A subclass says which, and what goes before them.

    Args:
        out_indices (Sequence[int]): Stages to return.
        frozen_stages (int): What :meth:`_frozen` makes of it.
        norm_eval (bool): Keep the running statistics of the norm layers fixed in training.
        init_cfg (dict | list[dict], optional): Of mmengine.
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
        """Maps of the chosen stages.

        Args:
            x (Tensor): (N, channels, H, W) images.

        Returns:
            tuple[Tensor, ...]: A map for each of ``out_indices``, in the order of the stages.
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
            mode (bool): Training or evaluation.

        Returns:
            StagedBackbone: Itself.
        """
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _begin(self, x: Tensor) -> Tensor:
        """What is done to images ahead of the first stage."""
        return x

    @abstractmethod
    def _stage(self, stage: int) -> Iterable[nn.Module]:
        """Layers of a stage."""

    def _frozen(self) -> Iterable[nn.Module]:
        """Layers that keep still: those of the first ``frozen_stages`` stages."""
        return [layer for stage in range(self.frozen_stages) for layer in self._stage(stage)]

    def _freeze_stages(self) -> None:
        for layer in self._frozen():
            layer.eval()
            layer.requires_grad_(False)


def check_stages(out_indices: Sequence[int], frozen_stages: int, last: int, last_frozen: int) -> None:
    """Refuse stages that are not there.

    Args:
        out_indices: Stages to return.
        frozen_stages: How many are to keep still; -1 for none.
        last: Number of the last stage, from 0.
        last_frozen: The most that ``frozen_stages`` may be.

    Raises:
        ValueError: They are not ascending, or out of range.
    """
    chosen = list(out_indices)
    if not chosen or chosen != sorted(set(chosen)) or not set(chosen) <= set(range(last + 1)):
        raise ValueError(f'out_indices must be ascending stages from 0 to {last}, got {out_indices!r}')
    if frozen_stages not in range(-1, last_frozen + 1):
        raise ValueError(f'frozen_stages must be a whole number from -1 to {last_frozen}, got {frozen_stages!r}')
