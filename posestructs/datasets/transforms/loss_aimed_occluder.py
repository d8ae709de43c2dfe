"""Occluders aimed at the joints that the model finds worst, an adversary that chooses augmentation.

After adversarial data augmentation (Bin et al., Adversarial Semantic Data Augmentation for Human Pose Estimation,
ECCV 2020), in which a network learns where to paste body parts. Here the adversary is a table: the mean loss of each
joint in the last epoch, which :class:`~posestructs.engine.hooks.JointLossHook` measures. Joints are aimed at in
proportion to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmpose.registry import TRANSFORMS

from posestructs.datasets.transforms.random_occluder import RandomOccluder
from posestructs.utils.checks import check_number

MAX_JOINTS = 1024


@TRANSFORMS.register_module()
class LossAimedOccluder(RandomOccluder):
    """``RandomOccluder`` some of whose occluders are aimed at joints in proportion to their loss.

    Until losses are known, all occluders are random ones. The losses are in memory that is shared with data-loading
    processes.

    Args:
        aimed: Share of the occluders that are aimed, 0 to 1.
        power: Exponent of the losses; 0 aims at all joints alike, a large one at the worst.
        **kwargs: Arguments of :class:`RandomOccluder`.

    Raises:
        ValueError: An argument is not allowed.
    """

    def __init__(self, aimed: float = 0.5, power: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aimed = check_number('LossAimedOccluder.aimed', aimed, 0, 1)
        self.power = check_number('LossAimedOccluder.power', power, 0)
        self._losses = torch.zeros(MAX_JOINTS, dtype=torch.float64).share_memory_()

    def set_losses(self, losses: Sequence[float]) -> None:
        """Set the losses of the joints, also in data-loading processes that are running.

        Args:
            losses: K numbers of at least 0, in the order of the joints at this place of the pipeline.

        Raises:
            ValueError: A number is negative or not finite, or there are too many.
        """
        values = torch.as_tensor(losses, dtype=torch.float64)
        if len(values) > MAX_JOINTS or not (values >= 0).all() or not values.isfinite().all():
            raise ValueError(f'LossAimedOccluder: losses={values.tolist()}, allowed: up to {MAX_JOINTS} numbers from 0')
        self._losses.zero_()
        self._losses[: len(values)] = values

    def choose_joint(self, usable: np.ndarray, rng: np.random.RandomState) -> int | None:
        """Draw a joint in proportion to its loss.

        Args:
            usable: (K,) bool, joints that may be covered.
            rng: Source of the draw.

        Returns:
            int | None: Its index; ``None`` if no usable joint has a loss.
        """
        weights = np.where(usable, self._losses[: len(usable)].numpy() ** self.power, 0.0)
        weights = np.where(self._losses[: len(usable)].numpy() > 0, weights, 0.0)
        if not weights.sum() > 0:
            return None
        edges = np.cumsum(weights)
        # the last usable joint if rounding passes the sum
        return int(min(np.searchsorted(edges, rng.random_sample() * edges[-1], 'right'), np.flatnonzero(weights)[-1]))

    def _place(
        self, points: np.ndarray, usable: np.ndarray, size: float, links: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """As in ``RandomOccluder``, with one joint left to choose where the occluder is aimed."""
        if rng.random_sample() < self.aimed and (joint := self.choose_joint(usable, rng)) is not None:
            usable, links = np.arange(len(usable)) == joint, links[:0]
        return super()._place(points, usable, size, links, rng)


def aimed_occluders(dataset: Any) -> list[LossAimedOccluder]:
    """Find the transforms of a data set, or of the data sets that it combines.

    Args:
        dataset: A data set with ``pipeline``, ``datasets`` or ``dataset``.

    Returns:
        list[LossAimedOccluder]: Those of its pipelines.
    """
    parts: Mapping[str, Any] = vars(dataset)
    inner = [*parts.get('datasets', ()), *([parts['dataset']] if 'dataset' in parts else [])]
    steps = getattr(parts.get('pipeline'), 'transforms', ())
    found = [step for step in steps if isinstance(step, LossAimedOccluder)]
    return [*found, *(step for part in inner for step in aimed_occluders(part))]
