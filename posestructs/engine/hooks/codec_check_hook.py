"""Refuse a head that decodes its maps by other sizes than those of its data, before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.engine.hooks.loop_check_hook import LoopCheckHook
from posestructs.utils.networks import unwrapped
from posestructs.utils.usage import UsageError

_SIZES = ('input_size', 'heatmap_size')


@HOOKS.register_module()
class CodecCheckHook(LoopCheckHook):
    """Compare the sizes of a head's decoder with those of the targets and of the crops.

    A head whose decoder has other sizes predicts joints at the wrong places without an error, and one without a decoder
    fails at the first validation. Heads of several codecs are not checked. ``tools/train.py`` and ``tools/test.py``
    have the hook by themselves; elsewhere name it in ``custom_hooks``.
    """

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Compare the sizes of a pipeline with those of the decoder."""
        head = getattr(unwrapped(runner.model), 'head', None)
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        if dataset is None or not hasattr(head, 'decoder'):
            return
        if head.decoder is None and name != 'train':
            raise UsageError(
                f'model.head.decoder=None, allowed: the codec of the targets, which {name}_dataloader needs'
            )
        if isinstance(head.decoder, (list, tuple)):
            return
        for step, sizes in _step_sizes(dataset):
            for key, size in sizes.items():
                own = _size(getattr(head.decoder, key, None))
                if None not in (own, size) and own != size:
                    raise UsageError(
                        f'model.head.decoder.{key}={own}, allowed: {size}, as in {step} of {name}_dataloader.dataset'
                    )


def _step_sizes(dataset: Any) -> Iterator[tuple[str, dict[str, tuple | None]]]:
    """Steps of a pipeline that have sizes."""
    for step in getattr(getattr(dataset, 'pipeline', None), 'transforms', ()):
        kind, encoder = type(step).__name__, getattr(step, 'encoder', None)
        if kind == 'TopdownAffine':
            yield kind, dict(input_size=_size(step.input_size))
        elif kind == 'GenerateTarget' and not isinstance(encoder, (list, tuple)):
            yield kind, {key: _size(getattr(encoder, key, None)) for key in _SIZES}


def _size(value: Any) -> tuple | None:
    return None if value is None else tuple(np.ravel(value).tolist())
