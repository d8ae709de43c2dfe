"""What the data sets here share: extra metainfo, checks at build time, and what happens to a bad sample.

A bad sample is an image that is missing, cannot be decoded or is truncated, a person without a labelled joint, or a box
of one pixel. In a test set each is an error, since a score over fewer people is another score. In a training set it is
left out with one warning that names it, and counted; more than ``max_bad_images`` of them are an error.

A joint labelled outside its image counts as not labelled in training, with one warning for the first and a count. In a
test set it is left as it is: published scores include it. The official files hold a few: of the 79,954 labelled joints
of 6,000 LSPE people 3 are outside, by at most 1.2 pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub, print_log
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

from posestructs.datasets.errors import AnnotationError, BadImageError
from posestructs.datasets.instances import box_problem, outside_joints
from posestructs.datasets.loader_errors import apply_step
from posestructs.datasets.readers import require_file
from posestructs.datasets.sample_seeds import SeededSamples
from posestructs.datasets.shared_marks import SharedMarks
from posestructs.structures.metainfo import load_metainfo


class CheckedPoseMixin(SeededSamples):
    """Put before a mmpose data set: keeps extra metainfo, checks samples, counts the bad ones.

    A pipeline's loading transform must raise :class:`BadImageError` for a sample to be skipped, as ``LoadImage`` does
    here. Inside a ``CombinedDataset`` it may stand in the pipeline of either; joints outside their image are looked for
    only where it stands in this data set's own.

    Args:
        max_bad_images (float): Fraction of a training set that may be bad before it is an error.
        strict (bool): Any bad sample, and any joint outside its image, is an error in training too.
        check_images (bool): Look at build time whether the images of the split are there, by listing their folders
            (local ones only). None is opened.
        **kwargs: mmpose's.

    Attributes:
        num_dropped (int): People left out at build time.
        num_skipped (int): Images that could not be decoded so far, over all workers of this process.
        num_outside (int): Joints found outside their image so far, over all workers of this process.
    """

    def __init__(
        self,
        *args: Any,
        max_bad_images: float = 0.01,
        strict: bool = False,
        check_images: bool = True,
        **kwargs: Any,
    ) -> None:
        if not _is_real(max_bad_images) or not 0 <= max_bad_images <= 1:
            raise ValueError(f'max_bad_images must be a fraction from 0 to 1, got {max_bad_images!r}')
        self.max_bad_images = max_bad_images
        self.strict = strict
        self.check_images = check_images
        self.num_dropped = 0
        self._skipped = self._outside = SharedMarks(0)  # of the right length once the annotations are loaded
        super().__init__(*args, **kwargs)

    @property
    def num_skipped(self) -> int:
        """Images that could not be decoded so far."""
        return self._skipped.total()

    @property
    def num_outside(self) -> int:
        """Joints found outside their image so far."""
        return self._outside.total()

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return load_metainfo(deepcopy(cls.METAINFO) if metainfo is None else metainfo)

    # -- build time ------------------------------------------------------------------------------------------------

    def _file_joints(self) -> Sequence[str] | None:
        """Names of the joints that the annotation file holds, in order; None where any are taken."""
        return None

    def _join_prefix(self) -> None:
        # the first that mmengine calls once it has the metainfo, before any file is read and with lazy_init too
        super()._join_prefix()
        expected, found = self._file_joints(), list(self._metainfo['keypoint_id2name'].values())
        if expected is not None and found != list(expected):
            raise ValueError(
                f'metainfo is of another body than the annotations of {type(self).__name__}: it has the joints '
                f'{found}, expected {list(expected)}'
            )

    def full_init(self) -> None:
        """Load the annotations, unless done."""
        if self._fully_initialized:
            return
        require_file('ann_file', self.ann_file)
        super().full_init()
        self._reset_marks()

    def filter_data(self) -> list[dict]:
        """Leave out, or refuse, samples whose image is missing; refuse a set without any."""
        data_list = super().filter_data()
        if self.check_images:
            missing = _missing_images(data_list)
            data_list = self._drop(
                data_list,
                lambda item: f'{item["img_path"]} does not exist' if item['img_path'] in missing else None,
                'have no image',
                FileNotFoundError,
            )
        if not data_list:
            raise AnnotationError(self.ann_file, f'{type(self).__name__} finds no usable person in it')
        return data_list

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep only some samples; counting starts anew."""
        super().get_subset_(indices)
        self._reset_marks()

    def get_subset(self, indices: Sequence[int] | int) -> CheckedPoseMixin:
        """A data set of some of the samples, which counts for itself."""
        subset = super().get_subset(indices)
        subset._reset_marks()
        return subset

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> list[dict]:
        count = len(self.data_list)
        outside = [] if isinstance(indices, int) else [i for i in indices if not -count <= i < count]
        if outside:
            raise IndexError(f'indices={indices} has {outside[0]}, there are {count} people in {self.ann_file}')
        subset = super()._get_unserialized_subset(indices)
        if not subset:
            raise ValueError(
                f'indices={indices} leaves none of the {count} people in {self.ann_file}, allowed: how many of the '
                f'first, from 1, or a list of numbers from 0 to {count - 1}'
            )
        return subset

    def _reset_marks(self) -> None:
        self._skipped, self._outside = SharedMarks(len(self)), SharedMarks(len(self))

    def _get_topdown_data_infos(self, instance_list: list[dict]) -> list[dict]:
        instance_list = self._drop(instance_list, self._instance_problem, 'cannot be used')
        return super()._get_topdown_data_infos(instance_list)

    def _get_bottomup_data_infos(self, instance_list: list[dict], image_list: list[dict]) -> list[dict]:
        instance_list = self._drop(instance_list, self._instance_problem, 'cannot be used')
        instance_list = sorted(instance_list, key=lambda item: item['img_id'])  # mmpose groups neighbours only
        data_list = super()._get_bottomup_data_infos(instance_list, image_list)
        for item in data_list:
            # mmpose lists what it cannot stack: [None, None] for two people without occlusion labels
            if isinstance(item.get('keypoints_occluded'), list):
                item['keypoints_occluded'] = None
        return data_list

    def _instance_problem(self, instance: dict) -> str | None:
        """What makes a person unusable, if anything."""
        where = f'person {instance["id"]} of {instance["img_path"]}'
        if instance.get('num_keypoints') == 0:
            return f'{where}: no joint is labelled'
        problem = box_problem(instance['bbox'])
        return problem and f'{where}: {problem}'

    def _drop(
        self,
        items: list[dict],
        problem_of: Callable[[dict], str | None],
        what: str,
        error: type[Exception] = ValueError,
    ) -> list[dict]:
        """Leave out the items that have a problem, with one warning, or raise (see the module's head)."""
        problems = [problem_of(item) for item in items]
        found = [problem for problem in problems if problem]
        if not found:
            return items
        message = f'{self.ann_file}: {len(found)} of {len(items)} people {what}; the first: {found[0]}'
        if self.test_mode:
            raise error(f'{message}. A test set must be complete')
        if self.strict:
            raise error(f'{message}. strict=True allows none')
        if len(found) > self.max_bad_images * len(items):
            raise error(f'{message}. max_bad_images={self.max_bad_images:g} allows {self.max_bad_images:.2%} of them')
        print_log(f'{message}. They are left out', logger='current', level=logging.WARNING)
        self.num_dropped += len(found)
        return [item for item, problem in zip(items, problems, strict=True) if not problem]

    # -- load time -------------------------------------------------------------------------------------------------

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """One sample after the pipeline.

        Args:
            idx (int): Which.

        Returns:
            Any: The pipeline's result, or None where a training image is bad: mmengine then draws another sample.

        Raises:
            BadImageError: The image is bad, in a test set, with ``strict``, or where too many are.
        """
        results = self.get_data_info(idx)
        results['dataset'] = self  # as mmpose's prepare_data does, for transforms that mix images
        try:
            return self._run_pipeline(results, idx)
        except BadImageError as error:
            self.skip_bad_image(idx, error)
            return None

    def skip_bad_image(self, idx: int, error: BadImageError) -> None:
        """Count a sample whose image is bad, unless none may be.

        Args:
            idx (int): The sample.
            error (BadImageError): What is wrong with its image.

        Raises:
            BadImageError: This is a test set, or ``strict``, or too many images are bad.
        """
        if self.test_mode or self.strict:
            raise error
        self._skip(idx, error)

    def _run_pipeline(self, results: dict, idx: int) -> Any:
        """The pipeline, with a look at the joints as soon as the size of the image is known."""
        checked = False
        for transform in getattr(self.pipeline, 'transforms', [self.pipeline]):
            results = apply_step(transform, results)
            if results is None:
                return None
            if not checked and 'ori_shape' in results:
                self._check_inside(results, idx)
                checked = True
        return results

    def _skip(self, idx: int, error: BadImageError) -> None:
        if self._skipped.put(idx):
            print_log(f'{error}. This sample is skipped', logger='current', level=logging.WARNING)
        bad, total = self.num_skipped + self.num_dropped, len(self) + self.num_dropped
        if bad > self.max_bad_images * total:
            raise BadImageError(
                error.path,
                f'{error.reason}. {bad} of {total} samples are bad, '
                f'max_bad_images={self.max_bad_images:g} allows {self.max_bad_images:.2%}',
            ) from error

    def _check_inside(self, results: dict, idx: int) -> None:
        if self.test_mode or 'keypoints_visible' not in results:
            return
        outside = outside_joints(results['keypoints'], results['keypoints_visible'], results['ori_shape'])
        if not outside.any():
            return
        person, joint = np.argwhere(outside)[0]
        height, width = results['ori_shape']
        point = ', '.join(f'{v:.2f}' for v in results['keypoints'][person, joint])
        message = (
            f'{self.ann_file}: id {np.ravel(results["id"])[person]}: joint {self._metainfo["keypoint_id2name"][joint]} '
            f'at ({point}) is outside its image {results["img_path"]} of {width} x {height} pixels'
        )
        if self.strict:
            raise AnnotationError(self.ann_file, message.removeprefix(f'{self.ann_file}: '))
        if self.num_outside == 0:
            print_log(
                f'{message}. Such joints count as not labelled; further ones are only counted (num_outside)',
                logger='current',
                level=logging.WARNING,
            )
        self._outside.put(idx, min(int(outside.sum()), 255))
        for key in ('keypoints', 'keypoints_visible', 'keypoints_occluded'):
            if results.get(key) is not None:
                results[key][outside] = 0


class CheckedPoseDataset(CheckedPoseMixin, BaseCocoStyleDataset):
    """Base of the data sets that are read from files of their own format.

    Args:
        bbox_padding (float): Side of a person's box over the side of the tight box around the labelled joints, for
            data sets that have no boxes. mmpose's ``GetBBoxCenterScale`` adds its 1.25 in the pipeline.
        id_file (str, optional): Text file of the people to use, in place of a split.
        **kwargs: :class:`CheckedPoseMixin`'s and mmpose's, but for ``bbox_file``.
    """

    split = 'all'

    def __init__(self, *args: Any, bbox_padding: float = 1.0, id_file: str | None = None, **kwargs: Any) -> None:
        if not _is_real(bbox_padding) or not 0 < bbox_padding < float('inf'):
            raise ValueError(f'bbox_padding must be a number above 0, got {bbox_padding!r}')
        if id_file is not None and self.split != 'all':
            raise ValueError(f'give split or id_file, not both: split={self.split!r}, id_file={id_file!r}')
        if kwargs.get('bbox_file'):
            raise ValueError(f'{type(self).__name__} takes no bbox_file, got {kwargs["bbox_file"]!r}')
        self.bbox_padding, self.id_file = bbox_padding, id_file
        super().__init__(*args, **kwargs)
        if self.test_mode:
            # mmpose offers every annotation file to CocoMetric, which can read none but COCO's; without one it takes
            # the truth from raw_ann_info and CLASSES.
            MessageHub.get_current_instance().update_info(f'{self.metainfo["dataset_name"]}_ann_file', None)

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return dict(super()._load_metainfo(metainfo), CLASSES=[dict(id=1, name='person')])

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.id_file and self.data_root:
            self.id_file = os.path.join(self.data_root, self.id_file)

    def full_init(self) -> None:
        """Load the annotations, unless done."""
        if self.id_file is not None and not self._fully_initialized:
            require_file('id_file', self.id_file)
        super().full_init()


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _missing_images(data_list: list[dict]) -> set[str]:
    """Paths that are not there, by one listing per folder; paths of remote storage are taken to exist."""
    paths = {item['img_path'] for item in data_list if '://' not in item['img_path']}
    folders = {os.path.dirname(path) or '.' for path in paths}
    there = {folder: set(os.listdir(folder)) if os.path.isdir(folder) else set() for folder in folders}
    return {path for path in paths if os.path.basename(path) not in there[os.path.dirname(path) or '.']}
