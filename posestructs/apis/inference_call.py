"""Options of one call of an inferencer, and the batching of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posestructs.apis.frames import Frame, Source
from posestructs.apis.result_files import ResultFiles
from posestructs.apis.tracking import PersonTracker
from posestructs.utils.checks import check_bool, check_choice, check_integer, check_number
from posestructs.utils.usage import UsageError
from posestructs.visualization.pose_drawing import check_length

STYLES = ('mmpose', 'openpose')
_FLAGS = ('flip_test', 'second_pass', 'pose_based_nms', 'draw_bbox', 'draw_heatmap', 'black_background', 'show')
_FLAGS += ('return_vis', 'return_maps', 'return_datasamples', 'track', 'smooth')


class Call(NamedTuple):
    """Options of one call.

    Attributes:
        source: The images.
        files: Writer of the results.
        batch_size: Number of persons that share a forward pass.
        visualize: Arguments of mmpose's ``visualize``.
        pose_based_nms: Whether persons with the same joints count as one.
        datasamples: Whether data samples are returned instead of dicts.
        maps: Whether maps are returned.
        flip_test: Whether predictions are averaged with those of the mirrored image.
        second_pass: Whether to predict again around the joints that were found: always, never (False), or ``None`` for
            whole images that are taken as one person.
        tracker: Gives the persons of a video track ids; ``None`` for no tracks.
    """

    source: Source
    files: ResultFiles
    batch_size: int
    visualize: dict[str, Any]
    pose_based_nms: bool
    datasamples: bool
    maps: bool
    flip_test: bool
    tracker: PersonTracker | None = None
    second_pass: bool | None = None

    @property
    def wants_images(self) -> bool:
        """Whether results are drawn."""
        return bool(self.files.wants_images or self.visualize['return_vis'] or self.visualize['show'])

    @property
    def wants_maps(self) -> bool:
        """Whether the model has to output its maps."""
        return bool(self.maps or (self.wants_images and self.visualize.get('draw_heatmap')))


def check_options(batch_size: int, skeleton_style: str = 'mmpose', merge_results: bool = True, **options: Any) -> None:
    """Raise a :exc:`UsageError` for an option of a call that is not allowed."""
    try:
        check_integer('batch_size', batch_size, 1)
        check_choice('skeleton_style', skeleton_style, STYLES)
        for key in ('kpt_thr', 'bbox_thr', 'nms_thr'):
            if key in options:
                check_number(key, options[key], 0, 1)
        for key in ('radius', 'thickness'):
            check_length(key, options.get(key))
        check_number('wait_time', options.get('wait_time', 0), 0)
        for key in _FLAGS:
            if options.get(key) is not None:
                check_bool(key, options[key])
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not merge_results:
        raise UsageError('merge_results=False, allowed: True, as the persons of an image are one list')


def result_folders(out_dir: str | Path | None, options: Mapping[str, Any]) -> dict[str, str]:
    """Folders of drawn images and of predictions below ``out_dir``, except those that the options name."""
    for key, folder in (('out_dir', out_dir), *((key, options.get(key)) for key in ('vis_out_dir', 'pred_out_dir'))):
        if not isinstance(folder, str | Path | None):
            raise UsageError(f'{key}={folder!r}, allowed: a folder')
    folders = dict(vis_out_dir='visualizations', pred_out_dir='predictions')
    if out_dir is None:
        return {}
    return {key: str(Path(out_dir, name)) for key, name in folders.items() if not options.get(key)}


def make_tracker(source: Source, track: bool, smooth: bool) -> PersonTracker | None:
    """Tracker of the persons of a video, if it is asked for; a :exc:`UsageError` for images, which have no order."""
    if not (track or smooth):
        return None
    if not source.is_video:
        given = ' and '.join(f'{key}=True' for key, value in (('track', track), ('smooth', smooth)) if value)
        raise UsageError(f'{given}, allowed: for a video, stream or camera')
    return PersonTracker(source.fps, smooth)


class Item(NamedTuple):
    """An image, and its persons cropped and packed.

    Attributes:
        frame: The image.
        persons: Its persons.
        boxes: (N, 5) their boxes x1, y1, x2, y2 in pixels and a score.
        is_whole: Whether the whole image is taken as one person.
    """

    frame: Frame
    persons: list[dict]
    boxes: np.ndarray | None = None
    is_whole: bool = False


def batches(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Collect images until there are enough persons for a batch.

    Args:
        items: Images; one without persons counts as one.
        batch_size: Number of persons of a full batch.

    Yields:
        Images in their order.
    """
    batch: list[Item] = []
    count = 0
    for item in items:
        batch.append(item)
        count += max(1, len(item.persons))
        if count >= batch_size:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


@contextmanager
def progress_bar(source: Source, shown: bool) -> Iterator[Callable[[], None]]:
    """Show the progress over the images of a source.

    Args:
        source: The images.
        shown: Whether to show a bar.

    Yields:
        Function to call after each image.
    """
    if not shown:
        yield lambda: None
        return
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(source.name, total=source.total)
        yield lambda: progress.advance(task)


@contextmanager
def temporary_items(values: dict, **items: Any) -> Iterator[None]:
    """Set entries of a dict for the duration of a ``with`` block.

    Args:
        values: The dict.
        **items: Values within the block; their keys may be absent before and after.
    """
    before = {key: values[key] for key in items if key in values}
    values.update(items)
    try:
        yield
    finally:
        for key in items:
            del values[key]
        values.update(before)
