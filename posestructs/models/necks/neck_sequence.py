"""Sequence of necks, in the place of the single one that mmpose builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class NeckSequence(BaseModule):
    """Consecutive necks, such as mmpose's ``FeatureMapProcessor`` in front of ``TreeMessagePassing``.

    ``tree``, ``out_channels`` and other attributes of the last neck are attributes of the sequence, so that heads and
    models check it like a single neck.

    Args:
        necks: Configs in order; the first neck reads the backbone's maps.
        init_cfg: mmengine's ``init_cfg``.

    Raises:
        ValueError: The sequence is empty.
    """

    def __init__(self, necks: Sequence[Mapping[str, Any]], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if not necks:
            raise ValueError('NeckSequence: necks is empty, allowed: at least one config')
        for number, neck in enumerate(necks):
            self.add_module(str(number), MODELS.build(neck))

    def forward(self, feats: Tensor | Sequence) -> Any:
        """Apply the necks one after the other.

        Args:
            feats: Output of a backbone.

        Returns:
            Any: Output of the last neck.
        """
        for neck in self.children():
            feats = neck(feats)
        return feats

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            modules = self.__dict__.get('_modules') or {}
            if not modules or name.startswith('_'):
                raise
            return getattr(list(modules.values())[-1], name)
