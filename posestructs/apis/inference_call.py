"""What one call of an inferencer wants, and how its images come together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posestructs.apis.image_sources import Frame, Source
from posestructs.apis.result_files import ResultFiles


class Call(NamedTuple):
    """One call.

    Attributes:
        source: Its images.
        files: Where results go.
        batch_size: People that share a forward pass.
        visualize: Arguments of mmpose's ``visualize``.
        pose_based_nms: Whether people with the same joints are one.
        datasamples: Whether data samples are given in the place of dicts.
        maps: Whether maps are given.
    """

    source: Source
    files: ResultFiles
    batch_size: int
    visualize: dict[str, Any]
    pose_based_nms: bool
    datasamples: bool
    maps: bool

    @property
    def wants_picture(self) -> bool:
        """Whether results are drawn."""
        return bool(self.files.wants_pictures or self.visualize['return_vis'] or self.visualize['show'])

    @property
    def wants_maps(self) -> bool:
        """Whether the model has to give its maps."""
        return bool(self.maps or (self.wants_picture and self.visualize.get('draw_heatmap')))


class Item(NamedTuple):
    """An image, and its people cut out and packed."""

    frame: Frame
    people: list[dict]


def batches(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Put images together until there are enough people.

    Args:
        items: Images; one without people counts as one.
        batch_size: How many people are enough.

    Yields:
        list[Item]: Images in their order.
    """
    batch: list[Item] = []
    count = 0
    for item in items:
        batch.append(item)
        count += max(1, len(item.people))
        if count >= batch_size:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


@contextmanager
def progress_bar(source: Source, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how far the images of a source are.

    Args:
        source: The images.
        shown: Whether there is to be a bar.

    Yields:
        Callable[[], None]: To be called after each image.
    """
    if not shown:
        yield lambda: None
        return
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(source.name, total=source.total)
        yield lambda: progress.advance(task)


@contextmanager
def changed(values: dict, key: str, value: Any) -> Iterator[None]:
    """Change an entry of a dict for a while.

    Args:
        values: The dict.
        key: Of the entry, which may be absent.
        value: Its value meanwhile.
    """
    before = dict(values)
    values[key] = value
    try:
        yield
    finally:
        values.pop(key)
        if key in before:
            values[key] = before[key]
