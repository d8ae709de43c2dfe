"""What files of results are called: as the image, and never as another image of the same call."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

WRITABLE = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


class ResultNames:
    """A name for each image.

    It is the first of these that is not taken and that no other image could go by, with its suffix or without: the
    image's name without suffix (``a``), its whole name (``a.png``), ``a_1``, ``a_2``, ... Hence of ``a.jpg`` and
    ``a.png`` each keeps its suffix, and only images of one name from several folders are numbered.

    Args:
        paths: Of all images, where they are known beforehand. Of others those count that came before.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._owners: dict[str, set[str]] = defaultdict(set)
        self._taken: set[str] = set()
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        for path in paths:
            self._own(path)
        self.planned = [(path, self._find(path)) for path in paths]
        self._waiting: dict[str, deque[str]] = defaultdict(deque)
        for path, name in self.planned:
            self._waiting[path].append(name)

    def take(self, path: str) -> str:
        """Name an image.

        Args:
            path: Of the image.

        Returns:
            str: Its name; the one planned for it, where it was known beforehand.
        """
        if self._waiting.get(path):
            return self._waiting[path].popleft()
        self._own(path)
        return self._find(path)

    def _own(self, path: str) -> None:
        name = _file_name(path)
        for form in (name, Path(name).stem):
            self._owners[form].add(name)

    def _find(self, path: str) -> str:
        own = _file_name(path)
        stem = Path(own).stem
        numbered = (f'{stem}_{number}' for number in self._numbers[stem])
        name = next(name for name in itertools.chain((stem, own), numbered) if self._is_free(name, path))
        self._taken |= {json_name(name), picture_name(name, path)}
        return name

    def _is_free(self, name: str, path: str) -> bool:
        own, picture = _file_name(path), picture_name(name, path)
        forms = {name} if picture == own else {name, picture}
        free = self._taken.isdisjoint({json_name(name), picture})
        return free and all(self._owners.get(form, {own}) == {own} for form in forms)


def json_name(name: str) -> str:
    """Name of the json file.

    Args:
        name: Of :class:`ResultNames`.

    Returns:
        str: With its suffix.
    """
    return f'{name}.json'


def picture_name(name: str, path: str) -> str:
    """Name of the drawn picture.

    Args:
        name: Of :class:`ResultNames`.
        path: Of the image.

    Returns:
        str: With the suffix of the image; '.jpg' where OpenCV does not write such.
    """
    suffix = Path(_file_name(path)).suffix
    if suffix.lower() not in WRITABLE:
        return f'{name}.jpg'
    return name if name == _file_name(path) else f'{name}{suffix}'


def _file_name(path: str) -> str:
    return Path(path.partition('?')[0] if '://' in path else path).name
