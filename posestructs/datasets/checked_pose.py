"""Base of the project's data sets: metainfo that keeps its extra keys, checked samples, and counts of bad ones.

A bad sample is an image that is missing, cannot be decoded or is truncated, a person without a labelled joint, or a box
of one pixel. In a test set it is an error, since a score over fewer persons is not comparable. In a training set it is
left out with one warning that names it, and counted; more than ``max_bad_images`` of them are an error.

A joint labelled outside its image counts as not labelled in training, with one warning for the first and a count; an
image with none but such joints is bad. In a test set joints are left as they are: published scores include them. The
official files hold a few: of the 79,954 labelled joints of 6,000 LSPE persons 3 are outside, by at most 1.2 pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub, print_log

from posestructs.datasets.converted_metainfo import ConvertedMetainfo
from posestructs.datasets.errors import AnnotationError, BadImageError
from posestructs.datasets.image_checks import check_sizes, find_missing, size_problem
from posestructs.datasets.instances import box_problem, outside_joints
from posestructs.datasets.loader_errors import apply_step
from posestructs.datasets.occluder_report import report_occluders
from posestructs.datasets.readers import require_file
from posestructs.datasets.sample_seeds import SeededSamples
from posestructs.datasets.shared_marks import SharedMarks
from posestructs.datasets.transforms.occlusion_channel import labelled as labelled_of
from posestructs.structures.metainfo import load_metainfo
from posestructs.utils.checks import check_bool, check_number


class CheckedPoseMixin(SeededSamples, ConvertedMetainfo):
    """Mixin before a data set of mmpose: keeps extra metainfo, checks samples and counts the bad ones.

    A pipeline's loading transform must raise :class:`BadImageError` for a sample to be skipped, as ``LoadImage`` does
    here. Inside a ``CombinedDataset`` it may stand in the pipeline of either; sizes and joints outside their image are
    checked at load time only where it stands in this data set's own.

    Args:
        max_bad_images: Fraction of a training set that may be bad before it is an error.
        strict: Make any bad sample, and any joint outside its image, an error in training too.
        check_images: Check at build time that the images of the split exist, by listing their folders (local ones
            only), and that the sizes of some fit their annotations. None is decoded.
        **kwargs: Arguments of mmpose's data set.

    Attributes:
        num_dropped: Number of persons left out at build time.
        num_skipped: Number of images that could not be used so far, over all workers of this process.
        num_outside: Number of joints found outside their image so far, over all workers of this process.
    """

    def __init__(
        self,
        *args: Any,
        max_bad_images: float = 0.01,
        strict: bool = False,
        check_images: bool = True,
        **kwargs: Any,
    ) -> None:
        self.max_bad_images = check_number('max_bad_images', max_bad_images, 0, 1)
        self.strict = check_bool('strict', strict)
        self.check_images = check_bool('check_images', check_images)
        self.num_dropped = 0
        self._skipped = self._outside = SharedMarks(0)  # of the right length once the annotations are loaded
        super().__init__(*args, **kwargs)
        if self.test_mode and not self._file_is_target():
            # without an annotation file CocoMetric takes the targets from raw_ann_info and CLASSES
            MessageHub.get_current_instance().update_info(f'{self._metainfo["dataset_name"]}_ann_file', None)

    @property
    def num_skipped(self) -> int:
        """Images that could not be used so far."""
        return self._skipped.total()

    @property
    def num_outside(self) -> int:
        """Joints found outside their image so far."""
        return self._outside.total()

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return load_metainfo(deepcopy(cls.METAINFO) if metainfo is None else metainfo)

    def _file_is_target(self) -> bool:
        """Check whether ``CocoMetric`` may read its targets from the annotation file: all of it, with these joints."""
        return self._indices is None and self.sample_interval == 1 and not self._converts()

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
                f'{found}, allowed: {list(expected)}'
            )

    def full_init(self) -> None:
        """Load the annotations, unless done."""
        if self._fully_initialized:
            return
        require_file('ann_file', self.ann_file)
        super().full_init()
        self._reset_marks()
        report_occluders(self)

    def filter_data(self) -> list[dict]:
        """Leave out, or refuse, samples whose image is missing; refuse wrong sizes, and a set without a sample."""
        data_list = super().filter_data()
        if self.check_images:
            missing = find_missing(data_list)
            data_list = self._drop(
                data_list,
                lambda item: f'{item["img_path"]} does not exist' if item['img_path'] in missing else None,
                'have no image',
                FileNotFoundError,
            )
        if not data_list:
            raise AnnotationError(self.ann_file, f'{type(self).__name__} finds no usable person in it')
        if self.check_images:
            check_sizes(data_list, self.ann_file, list(self._metainfo['keypoint_name2id']), self._may_ignore_exif())
        return data_list

    def _may_ignore_exif(self) -> bool:
        colors = [str(getattr(step, 'color_type', 'color')) for step in self._steps()]
        return any('ignore_orientation' in color or color == 'unchanged' for color in colors)

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep only some samples; counting starts anew.

        Args:
            indices: Number of samples to keep from the start, or their indices.
        """
        super().get_subset_(indices)
        self._reset_marks()

    def get_subset(self, indices: Sequence[int] | int) -> CheckedPoseMixin:
        """A data set of some of the samples, with counts of its own.

        Args:
            indices: Number of samples to keep from the start, or their indices.
        """
        subset = super().get_subset(indices)
        subset._reset_marks()
        return subset

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> list[dict]:
        count = len(self.data_list)
        outside = [] if isinstance(indices, int) else [i for i in indices if not -count <= i < count]
        if outside:
            raise IndexError(f'indices={indices} has {outside[0]}, there are {count} persons in {self.ann_file}')
        subset = super()._get_unserialized_subset(indices)
        if not subset:
            raise ValueError(
                f'indices={indices} leaves none of the {count} persons in {self.ann_file}, allowed: how many of the '
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
            # mmpose lists what it cannot stack: [None, None] for two persons without occlusion labels
            if isinstance(item.get('keypoints_occluded'), list):
                item['keypoints_occluded'] = None
        return data_list

    def _instance_problem(self, instance: dict) -> str | None:
        """Describe what makes a person unusable, if anything does."""
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
        """Leave out the items that have a problem (see :meth:`_leave_out`)."""
        problems = [problem_of(item) for item in items]
        self._leave_out([problem for problem in problems if problem], len(items), what, error)
        return [item for item, problem in zip(items, problems, strict=True) if not problem]

    def _leave_out(self, problems: Sequence[str], total: int, what: str, error: type[Exception] = ValueError) -> None:
        """Count persons who are left out, with one warning, or raise where none may be (see the module docstring)."""
        if not problems:
            return
        message = f'{self.ann_file}: {len(problems)} of {total} persons {what}; the first: {problems[0]}'
        if self.test_mode:
            raise error(f'{message}. A test set must be complete')
        if self.strict:
            raise error(f'{message}. strict=True allows none')
        if len(problems) > self.max_bad_images * total:
            raise error(f'{message}. max_bad_images={self.max_bad_images:g} allows {self.max_bad_images:.2%} of them')
        print_log(f'{message}. They are left out', logger='current', level=logging.WARNING)
        self.num_dropped += len(problems)

    # -- load time -------------------------------------------------------------------------------------------------

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """One sample after the pipeline.

        Args:
            idx: Index of the sample.

        Returns:
            The pipeline's result, or None where a training image is bad: mmengine then draws another sample.

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
            idx: Index of the sample.
            error: The error of its image.

        Raises:
            BadImageError: This is a test set, or ``strict``, or too many images are bad.
        """
        if self.test_mode or self.strict:
            raise error
        self._skip(idx, error)

    def _run_pipeline(self, results: dict, idx: int) -> Any:
        """Run the pipeline, and check size and joints as soon as the size of the image is known."""
        checked = False
        for transform in self._steps() or [self.pipeline]:
            results = apply_step(transform, results)
            if results is None:
                return None
            if not checked and 'ori_shape' in results:
                self._check_size(results)
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

    def _check_size(self, results: dict) -> None:
        problem = size_problem(results.get('ann_img_shape'), *results['ori_shape'][:2])
        if problem and self.check_images:
            raise BadImageError(results['img_path'], f'{problem} ({self.ann_file})')

    def _check_inside(self, results: dict, idx: int) -> None:
        if self.test_mode or results.get('keypoints_visible') is None:
            return
        labelled = labelled_of(results['keypoints_visible'])
        outside = outside_joints(results['keypoints'], labelled, results['ori_shape'])
        if not outside.any():
            return
        person, joint = np.argwhere(outside)[0]
        height, width = results['ori_shape']
        point = ', '.join(f'{v:.2f}' for v in results['keypoints'][person, joint])
        names = self.metainfo['keypoint_id2name'] if self._converts() else self._metainfo['keypoint_id2name']
        message = (
            f'id {np.ravel(results["id"])[person]}: joint {names.get(joint, joint)} at ({point}) is outside its image '
            f'{results["img_path"]} of {width} x {height} pixels'
        )
        if self.strict:
            raise AnnotationError(self.ann_file, message)
        if (outside == labelled).all():
            raise BadImageError(results['img_path'], f'{message}, and so are all of its joints ({self.ann_file})')
        if self.num_outside == 0:
            print_log(
                f'{self.ann_file}: {message}. Such joints count as not labelled; further ones are only counted '
                '(num_outside)',
                logger='current',
                level=logging.WARNING,
            )
        self._outside.put(idx, min(int(outside.sum()), 255))
        results['keypoints'][outside] = 0
        results['keypoints_visible'][outside if results['keypoints_visible'].ndim == 2 else (*outside.nonzero(), 0)] = 0
        if results.get('keypoints_occluded') is not None:
            results['keypoints_occluded'][outside] = 0
