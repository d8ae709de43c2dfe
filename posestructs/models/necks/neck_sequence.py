"""Several necks, one behind the other: mmpose builds one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class NeckSequence(BaseModule):
    """Necks in a row, such as mmpose's ``FeatureMapProcessor`` in front of ``TreeMessagePassing``.

    The last one's ``tree``, ``out_channels`` and other attributes can be read from it, so that a head and a model
    check it as they check a single neck.

    Args:
        necks (Sequence[dict]): Configs, the first reads the backbone's maps.
        init_cfg (dict, optional): Of mmengine.

    Raises:
        ValueError: There is no neck.
    """

    def __init__(self, necks: Sequence[Mapping[str, Any]], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if not necks:
            raise ValueError('NeckSequence: necks is empty, allowed: at least one config')
        for number, neck in enumerate(necks):
            self.add_module(str(number), MODELS.build(neck))

    def forward(self, feats: Tensor | Sequence) -> Any:
        """Pass maps through.

        Args:
            feats (Sequence): What a backbone gives.

        Returns:
            Any: What the last neck gives.
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
