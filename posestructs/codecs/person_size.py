"""Size of a person in pixels of the network's input, by which distances are divided.

The lengths are those of :class:`~posestructs.evaluation.BoxPCK`, :class:`~posestructs.evaluation.HeadPCK` and
:class:`~posestructs.evaluation.TorsoPCK`, so that "within delta of the reference" means the same in training and in
the results.

Shapes: K joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posestructs.structures.box_size import box_size
from posestructs.structures.metainfo import load_metainfo
from posestructs.utils.checks import check_choice, invalid_value, is_integer

KINDS = ('box', 'torso', 'head')


class PersonSize:
    """Reference length of one person.

    Args:
        kind: 'box', the longer side of the person's box; 'torso', the distance of two joints; 'head', the data set's
            ``head_size``, or with ``pair`` the distance of two joints.
        pair: Two joints, by index, or by name with ``metainfo``. For a torso by default ``torso_pair`` of ``metainfo``.
        metainfo: Metainfo of the data set, such as ``dict(from_file='configs/_base_/datasets/lsp.py')``.

    Raises:
        ValueError: The kind is unknown, or the pair is missing or not two joints.
    """

    def __init__(
        self, kind: str, pair: Sequence[int | str] | None = None, metainfo: Mapping[str, Any] | None = None
    ) -> None:
        self.kind = check_choice('normalize', kind, KINDS)
        meta = load_metainfo(metainfo) if metainfo is not None else {}
        if kind == 'torso' and pair is None:
            pair = meta.get('torso_pair')
            if pair is None:
                raise ValueError("normalize='torso' needs pair, two joints, or metainfo with a torso_pair")
        if kind == 'box' and pair is not None:
            raise ValueError(f"pair={pair!r}, allowed with normalize='box': None")
        ids = meta.get('keypoint_name2id', {})
        self.pair = None if pair is None else _find_pair(pair, ids)
        # joints that a pair of names refers to
        self._num_joints = len(ids) if pair is not None and any(isinstance(joint, str) for joint in pair) else None

    @property
    def keys(self) -> set[str]:
        """Keys of a sample that it needs beside the joints."""
        if self.pair is not None:
            return set()
        return {'bbox', 'input_scale'} if self.kind == 'box' else {'head_size', 'input_scale'}

    def __call__(
        self,
        keypoints: np.ndarray,
        labelled: np.ndarray,
        bbox: np.ndarray | None,
        head_size: np.ndarray | float | None,
        zoom: float,
    ) -> float:
        """Measure one person.

        Args:
            keypoints: (K, 2) joints in input pixels.
            labelled: (K,) bool mask of the labelled joints.
            bbox: (1, 4) box in image pixels.
            head_size: (1,) head size in image pixels.
            zoom: Input pixels per image pixel.

        Returns:
            float: Input pixels; 0 where the size is unknown.

        Raises:
            ValueError: A joint of the pair is not one of the joints, the joints are not those of ``metainfo``, or a
                required head size is missing.
        """
        if self.pair is not None:
            return self._distance(keypoints, labelled)
        if self.kind == 'box':
            return 0.0 if bbox is None else zoom * float(box_size(np.reshape(bbox, (1, -1))[:, :4])[0])
        if head_size is None:
            raise ValueError(
                "normalize='head': the sample has no head_size, which mmpose's MPII data set gives in test mode only; "
                "name the head's two joints in pair"
            )
        return zoom * float(np.ravel(head_size)[0])

    def _distance(self, keypoints: np.ndarray, labelled: np.ndarray) -> float:
        a, b = self.pair
        if max(self.pair) >= len(keypoints):
            raise ValueError(f'pair={self.pair}: there are only {len(keypoints)} joints')
        if self._num_joints is not None and len(keypoints) != self._num_joints:
            raise ValueError(
                f'pair={self.pair}: named by metainfo with {self._num_joints} joints, but the sample has '
                f'{len(keypoints)}; give the metainfo of these joints, or the indices'
            )
        return float(np.hypot(*(keypoints[a] - keypoints[b])[:2])) if labelled[a] and labelled[b] else 0.0


def _find_pair(pair: Sequence[int | str], ids: Mapping[str, int]) -> tuple[int, int]:
    """Indices of two different joints."""
    unknown = [joint for joint in pair if isinstance(joint, str) and joint not in ids]
    if unknown:
        raise ValueError(f'pair={pair!r}: {unknown} are not among the joints of metainfo: {list(ids)}')
    found = [ids[joint] if isinstance(joint, str) else joint for joint in pair]
    whole = all(is_integer(joint) and joint >= 0 for joint in found)
    if not whole or len(found) != 2 or found[0] == found[1]:
        raise invalid_value('pair', pair, 'two different joints, by index, or by name with metainfo')
    return int(found[0]), int(found[1])
