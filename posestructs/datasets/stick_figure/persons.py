"""Sequence of synthetic figures that are rendered when they are fetched."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from posestructs.datasets.instances import box_from_joints, make_instance
from posestructs.datasets.stick_figure.scene import SceneOptions, draw_scene
from posestructs.datasets.stick_figure.skeleton import JOINTS

SYNONYMS = {'neck': 'upper_neck'}  # joints that other joint sets name otherwise


class Artist:
    """Renderer of figures with the fields of mmpose's samples.

    Args:
        seed: Seed of the stream of figures.
        size: Width and height of the images.
        options: Options that set the difficulty.
        bbox_padding: Side of the box relative to that of the tight box.

    Attributes:
        joints: Wanted joints, as numbers in ``JOINTS``.
    """

    def __init__(self, seed: int, size: tuple[int, int], options: SceneOptions, bbox_padding: float) -> None:
        self.seed, self.size, self.options, self.bbox_padding = seed, size, options, bbox_padding
        self.joints = list(range(len(JOINTS)))

    def __call__(self, index: int) -> dict[str, Any]:
        """Render one figure.

        Args:
            index: Index in the stream.

        Returns:
            dict: mmpose's fields, ``keypoints_occluded``, ``head_size`` and the image as ``img``.
        """
        scene = draw_scene(self.seed, index, self.size, self.options)
        corners, limit = scene.bbox.reshape(2, 2), (self.size[0] - 1, self.size[1] - 1)
        return make_instance(
            scene.keypoints[self.joints],
            scene.labelled[self.joints],
            scene.occluded[self.joints],
            box_from_joints(corners, np.ones(2, bool), self.bbox_padding, limit),
            img_path=f'stick_figure/seed{self.seed}/{index:06d}',
            img_id=index,
            ann_id=index,
            img=scene.image,
            head_size=np.array([[scene.head_size]], dtype=np.float32),
        )


class FreshPerson(dict):
    """Sample that nothing else refers to, so that a deep copy need not copy its arrays.

    mmengine copies deeply what it takes from a list, which is not needed for an image that was just rendered.
    """

    def __deepcopy__(self, memo: dict) -> dict[str, Any]:
        return dict(self)


class LazyPersons(Sequence):
    """Sequence of figures that are rendered when they are fetched.

    Args:
        artist: Renderer of the figures.
        numbers: Indices in the stream.
        cache: Keep rendered figures; copies and pickles start without them.
    """

    def __init__(self, artist: Artist, numbers: Sequence[int], cache: bool = False) -> None:
        self._artist = artist
        self._numbers = numbers
        self._rendered: dict[int, dict] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, position: int) -> dict[str, Any]:
        number = self._numbers[position]
        if self._rendered is None:
            return FreshPerson(self._artist(number))
        if number not in self._rendered:
            self._rendered[number] = self._artist(number)
        return self._rendered[number]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[position] for position in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _rendered=None if self._rendered is None else {})

    def select(self, indices: int | Sequence[int]) -> LazyPersons:
        """Select some of the figures, without rendering any.

        Args:
            indices: Number of figures from the start (or, negative, from the end), or positions.

        Returns:
            LazyPersons: The selected figures.

        Raises:
            TypeError: Neither an integer nor integers.
            IndexError: A position is out of range.
            ValueError: None is left.
        """
        count = len(self)
        if isinstance(indices, (int, np.integer)) and not isinstance(indices, bool):
            numbers = self._numbers[:indices] if indices >= 0 else self._numbers[indices:]
        else:
            try:
                positions = [operator.index(position) for position in indices]
            except TypeError:
                raise TypeError(f'indices={indices!r}, allowed: an integer or a sequence of integers') from None
            outside = [position for position in positions if not -count <= position < count]
            if outside:
                raise IndexError(f'indices has {outside[0]}, there are {count} persons')
            numbers = [self._numbers[position] for position in positions]
        if not len(numbers):
            raise ValueError(f'indices={indices!r} leaves none of the {count} persons')
        return LazyPersons(self._artist, numbers, self._rendered is not None)


def joint_numbers(names: dict[int, str]) -> list[int]:
    """Find joints by name.

    Args:
        names: Name of each joint of a joint set, by its number from 0.

    Returns:
        list[int]: Their numbers in ``JOINTS``.

    Raises:
        ValueError: A stick figure has no such joint.
    """
    wanted = [SYNONYMS.get(names[number], names[number]) for number in range(len(names))]
    missing = [name for name in wanted if name not in JOINTS]
    if missing:
        raise ValueError(f'metainfo: a stick figure has no joint {missing[0]!r}, its joints are {[*JOINTS, *SYNONYMS]}')
    return [JOINTS.index(name) for name in wanted]
