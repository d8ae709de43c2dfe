"""Name output files after their images, without collisions between images of the same call.

``posestructs.apis.PoseInferencer`` takes its names from here too.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

WRITABLE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
"""Formats that drawn images are written in; those of ``posestructs.utils.media``."""


class ResultNames:
    """A name for each image.

    It is the first of these that is not taken and that no other image could claim, with its suffix or without: the
    image's name without suffix (``a``), its full name (``a.png``), ``a_1``, ``a_2``, ... Of ``a.jpg`` and ``a.png``,
    each keeps its suffix; only images of the same name from several folders are numbered.

    Args:
        paths: Paths of all images, where they are known beforehand. Otherwise only images that came before are
            considered.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._owners: dict[str, set[str]] = defaultdict(set)
        self._taken: set[str] = set()
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        for path in paths:
            self._claim(path)
        self.planned = [(path, self._find(path)) for path in paths]
        self._waiting: dict[str, deque[str]] = defaultdict(deque)
        for path, name in self.planned:
            self._waiting[path].append(name)

    def take(self, path: str) -> str:
        """Name an image.

        Args:
            path: Path of the image.

        Returns:
            Its name; the planned one, where it was known beforehand.
        """
        if self._waiting.get(path):
            return self._waiting[path].popleft()
        self._claim(path)
        return self._find(path)

    def _claim(self, path: str) -> None:
        name = _file_name(path)
        for form in (name, Path(name).stem):
            self._owners[form].add(name)

    def _find(self, path: str) -> str:
        own = _file_name(path)
        stem = Path(own).stem
        numbered = (f'{stem}_{number}' for number in self._numbers[stem])
        name = next(name for name in itertools.chain((stem, own), numbered) if self._is_free(name, path))
        self._taken |= {json_name(name), image_name(name, path)}
        return name

    def _is_free(self, name: str, path: str) -> bool:
        own, image = _file_name(path), image_name(name, path)
        forms = {name} if image == own else {name, image}
        free = self._taken.isdisjoint({json_name(name), image})
        return free and all(self._owners.get(form, {own}) == {own} for form in forms)


def json_name(name: str) -> str:
    """Name of the json file.

    Args:
        name: Name given by :class:`ResultNames`.

    Returns:
        The name with its suffix.
    """
    return f'{name}.json'


def image_name(name: str, path: str) -> str:
    """Name of the drawn image.

    Args:
        name: Name given by :class:`ResultNames`.
        path: Path of the input image.

    Returns:
        The name with the suffix of the input; '.jpg' if OpenCV does not write that format.
    """
    own = _file_name(path)
    suffix = Path(own).suffix
    suffix = suffix if suffix.lower() in WRITABLE_SUFFIXES else '.jpg'
    return name if name == own and suffix == Path(own).suffix else f'{name}{suffix}'


def _file_name(path: str) -> str:
    return Path(path.partition('?')[0] if '://' in path else path).name
