"""Union of data sets that skips bad images as a single data set does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import mmpose.datasets as mmpose_datasets
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub
from mmpose.registry import DATASETS

from posestructs.datasets.checked_pose import CheckedPoseMixin
from posestructs.datasets.coco_checks import plain_name
from posestructs.datasets.converted_metainfo import ConvertedMetainfo
from posestructs.datasets.errors import BadImageError
from posestructs.datasets.loader_errors import apply_steps
from posestructs.datasets.occluder_report import report_occluders
from posestructs.datasets.sample_seeds import SeededSamples
from posestructs.structures.joint_conversion import pipeline_metainfo
from posestructs.structures.metainfo import EXTRA_KEYS, load_metainfo, raw_metainfo
from posestructs.utils.checks import check_number, check_sequence


@DATASETS.register_module(force=True)
class CombinedDataset(SeededSamples, ConvertedMetainfo, mmpose_datasets.CombinedDataset):
    """Replacement of mmpose's ``CombinedDataset`` for data sets that count bad images.

    Where images are loaded in the pipeline of the union, a bad one is reported to the data set that it comes from,
    which counts it, and allows or refuses it by its own ``max_bad_images``, ``strict`` and ``test_mode``. An image of a
    data set that counts none (mmpose's own) is an error, as in mmpose. ``metainfo`` keeps ``sticks``, ``torso_pair``
    and ``joint_groups``.

    ``datasets`` may contain further unions: the samples of every data set among them keep a ``member_index`` of their
    own, by which ``CocoMetric`` tells them apart.

    Args:
        metainfo: Metainfo of the joints that all the data sets are converted to.
        datasets: Configs of the data sets.
        pipeline: Transforms applied after those of the data sets.
        sample_ratio_factor: Number of draws from each data set, relative to its length.
        **kwargs: Arguments of mmpose's ``CombinedDataset``.

    Raises:
        ValueError: ``metainfo`` has one of our keys and does not fit itself, the joints of a data set are others or in
            another order, or ``sample_ratio_factor`` is not a list of one ratio for each data set.
    """

    def __init__(
        self,
        metainfo: dict,
        datasets: list,
        pipeline: Sequence[dict | Callable] = (),
        sample_ratio_factor: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        raw = raw_metainfo(metainfo)
        # mmpose's files for other bodies need not pass our checks: several list no sigmas
        parsed = load_metainfo(metainfo) if any(key in raw for key in EXTRA_KEYS) else None
        if sample_ratio_factor is not None:
            key = 'CombinedDataset.sample_ratio_factor'
            sample_ratio_factor = check_sequence(key, sample_ratio_factor, partial(check_number, low=0), len(datasets))
        super().__init__(raw, datasets, list(pipeline), sample_ratio_factor, **kwargs)
        if parsed is not None:
            self._metainfo = parsed
        self._check_members()
        report_occluders(self)
        if self.test_mode or any(getattr(member, 'test_mode', False) for member in self.datasets):
            # no annotation file holds all of it: CocoMetric takes the targets from the samples
            MessageHub.get_current_instance().update_info(f'{self._metainfo["dataset_name"]}_ann_file', None)

    def get_data_info(self, idx: int) -> dict:
        """One sample of a data set, with the flip indices of the union.

        Args:
            idx: Index into the union.

        Returns:
            mmpose's fields.
        """
        info = super().get_data_info(idx)
        info.pop('unpaired_joints', None)  # of the data set's own flip indices, which the union's replace
        # members may share image and annotation ids; a member that is a union has counted its own
        first = sum(_num_members(member) for member in self.datasets[: self._member_index(idx)])
        info['member_index'] = first + info.get('member_index', 0)
        return info

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """One sample after both pipelines.

        Args:
            idx: Index into the union.

        Returns:
            Any: The pipeline's result, or None where a training image is bad: mmengine then draws another sample.

        Raises:
            BadImageError: The image is bad, and its data set does not allow it.
        """
        results = self.get_data_info(idx)
        own_idx, results['dataset'] = results.get('sample_idx'), self
        try:
            return apply_steps(self.pipeline, results)
        except BadImageError as error:
            part = self.datasets[self._member_index(idx)]
            if self.test_mode or own_idx is None or not isinstance(part, CheckedPoseMixin):
                raise
            part.skip_bad_image(own_idx, error)
            return None

    def _member_index(self, idx: int) -> int:
        """Index of the data set of a sample; mmpose's ``_get_subset_index`` would draw a random number."""
        return bisect_right(list(accumulate(self._lens)), idx % len(self))

    def _check_members(self) -> None:
        """Refuse members whose joints, behind their pipelines, are not the union's."""
        for i, member in enumerate(self.datasets):
            if not hasattr(member, 'pipeline'):  # a wrapper such as RepeatDataset
                continue
            steps, own = getattr(member.pipeline, 'transforms', ()), member.metainfo
            if not isinstance(member, ConvertedMetainfo):
                own = pipeline_metainfo(own, steps)
            kinds = {type(step).__name__ for step in steps}
            later = {type(step).__name__ for step in self.pipeline.transforms}
            if any('Converter' in name for name in (kinds - {'KeypointConverter'}) | later):
                continue  # such as SingleHandConverter
            problem = _joint_problem(own, self._metainfo, 'KeypointConverter' in kinds)
            if problem:
                raise ValueError(
                    f'datasets[{i}] ({type(member).__name__}) has {problem}: convert them by a KeypointConverter in '
                    f'the pipeline of datasets[{i}]'
                )


def _num_members(dataset: Any) -> int:
    """Number of data sets in a member, 1 unless it is a union, or a wrapper of one."""
    if isinstance(dataset, CombinedDataset):
        return sum(map(_num_members, dataset.datasets))
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return max(1 if one is None else _num_members(one) for one in inner)


def _joint_problem(own: Mapping[str, Any], union: Mapping[str, Any], converted: bool) -> str | None:
    """Difference between the joints of a member and those of the union, None where there is none.

    Behind a ``KeypointConverter`` joints keep the names of their sources, which need not be the union's: there, only a
    joint of the union at another place is wrong.
    """
    count = own.get('num_keypoints', union['num_keypoints'])
    if count != union['num_keypoints']:
        return f'{count} joints, the metainfo of the CombinedDataset {union["num_keypoints"]}'
    theirs, ours = (list((meta.get('keypoint_id2name') or {}).values()) for meta in (own, union))
    known = set(map(plain_name, ours))
    for theirs_i, ours_i in zip(theirs, ours, strict=False):
        name = plain_name(theirs_i)
        if name != plain_name(ours_i) and (name in known or not converted):
            return f'the joints {theirs}, the metainfo of the CombinedDataset {ours}'
    return None
