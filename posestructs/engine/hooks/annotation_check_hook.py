"""Check the COCO files of data sets that do not check them themselves, before the first step."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import Runner
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import HOOKS

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.image_checks import check_sizes
from posestructs.datasets.readers import read_json
from posestructs.engine.hooks.loop_check_hook import LoopCheckHook
from posestructs.utils.usage import UsageError

MAX_LOST = 0.01
"""Fraction of the labelled persons of a training set that may be lost, as ``max_bad_images`` of our data sets."""


@HOOKS.register_module()
class AnnotationCheckHook(LoopCheckHook):
    """Refuse faults of COCO files that mmpose's own data sets read without an error.

    These are annotation ids that occur twice, persons with labelled joints whom mmpose leaves out, and images whose
    size differs from that in the file. The data sets of posestructs check more, and by themselves.
    """

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Check the data set of a loop."""
        check_datasets(getattr(getattr(loop, 'dataloader', None), 'dataset', None))


def check_datasets(dataset: Any) -> None:
    """Check a data set, or the members of a union, as far as mmpose reads their files by its COCO reader.

    Args:
        dataset: A data set of any kind.

    Raises:
        UsageError: A file has one of the faults.
    """
    for part in _unchecked(dataset):
        try:
            _check(part)
        except AnnotationError as error:
            raise UsageError(f'{error}. {type(part).__name__} would read it without an error') from error


def _unchecked(dataset: Any) -> Iterator[BaseCocoStyleDataset]:
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is not None:
            yield from _unchecked(part)
    reader = getattr(type(dataset), '_load_annotations', None)
    own = isinstance(dataset, BaseCocoStyleDataset) and not isinstance(dataset, CheckedPoseMixin)
    if own and reader is BaseCocoStyleDataset._load_annotations and str(dataset.ann_file).endswith('.json'):
        yield dataset


def _check(dataset: BaseCocoStyleDataset) -> None:
    path = dataset.ann_file
    content = read_json(path)
    anns, images = content.get('annotations', ()), content.get('images', ())
    for key, items in (('annotation', anns), ('image', images)):
        seen: set = set()
        for item in items:
            if item.get('id') in seen:
                raise AnnotationError(path, f'{key} id {item["id"]} occurs twice', f'ids of its own for each {key}')
            seen.add(item.get('id'))
    persons = [ann for ann in anns if _is_labelled(ann)]
    _report_lost([ann for ann in persons if not ann.get('bbox') or ann.get('num_keypoints') == 0], persons, dataset)
    items = [
        dict(
            img_id=image['id'],
            img_path=osp.join(dataset.data_prefix.get('img', ''), image['file_name']),
            ann_img_shape=(image['height'], image['width']),
        )
        for image in images
        if {'id', 'file_name', 'height', 'width'} <= set(image)
    ]
    if items:
        check_sizes(items, path, (), any_turn=True)


def _is_labelled(ann: dict) -> bool:
    keypoints = ann.get('keypoints')
    flags = keypoints[2::3] if isinstance(keypoints, list) else ()
    return not ann.get('iscrowd') and any(isinstance(flag, (int, float)) and flag > 0 for flag in flags)


def _report_lost(lost: Sequence[dict], persons: Sequence[dict], dataset: BaseCocoStyleDataset) -> None:
    if not lost:
        return
    first = lost[0]
    fault = 'num_keypoints is 0' if first.get('bbox') else 'bbox is absent'
    message = (
        f'{len(lost)} of {len(persons)} persons with labelled joints are left out; the first: annotation '
        f'{first["id"]}: {fault}'
    )
    if dataset.test_mode:
        raise AnnotationError(dataset.ann_file, f'{message}. A test set must be complete')
    if len(lost) > MAX_LOST * len(persons):
        raise AnnotationError(dataset.ann_file, message, f'at most {MAX_LOST:.0%}')
    print_log(f'{dataset.ann_file}: {message}', logger='current', level=logging.WARNING)
