"""mmpose's ``CocoMetric`` on normalised targets, and over the members of a union."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import mmpose.evaluation.metrics
import numpy as np
from mmengine.logging import MessageHub
from mmpose.evaluation.metrics import CocoMetric as MmposeCocoMetric
from mmpose.registry import METRICS
from xtcocotools.coco import COCO

from posestructs.datasets.coco_targets import normalise_target
from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.readers import read_json

_MAX_MEMBERS = 1000


@METRICS.register_module(force=True)
class CocoMetric(MmposeCocoMetric):
    """Replacement of mmpose's ``CocoMetric`` that reads targets as the data sets do.

    An absent ``area`` is estimated from the box, as is one that cannot be that of the box; an absent ``iscrowd`` is 0,
    and ``num_keypoints`` is counted from the flags (:func:`normalise_target`). A file without ``categories`` has one,
    person. The samples of a ``CombinedDataset`` may share image and annotation ids: each member's are kept apart.

    Args:
        ann_file: COCO file of the targets. By default that of the data set, or the samples' own annotations where the
            data set is a union, a subset, converts its joints, or is no COCO file.
        format_only: Write results without scoring them.
        **kwargs: Arguments of mmpose's ``CocoMetric``.

    Raises:
        AnnotationError: The file repeats an id, or has no annotations.
        ValueError: Samples of several data sets are to be scored against one file.
    """

    def __init__(self, ann_file: str | None = None, *, format_only: bool = False, **kwargs: Any) -> None:
        super().__init__(format_only=format_only, **kwargs)
        self.ann_file = ann_file
        if ann_file is not None:
            self.coco = read_targets(ann_file, required=not format_only)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Take the metainfo, and the targets of the data set's file where there is one."""
        path = MessageHub.get_current_instance().get_info(f'{dataset_meta["dataset_name"]}_ann_file', None)
        if self.coco is None and path is not None:
            self.coco = read_targets(path, required=not self.format_only)
        MmposeCocoMetric.dataset_meta.fset(self, dataset_meta)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep predictions and targets of one batch, with ids that no two members of a union share.

        Args:
            data_batch: Not used.
            data_samples: Data samples of mmpose as dicts, with predictions.
        """
        first = len(self.results)
        super().process(data_batch, data_samples)
        for i, sample in enumerate(data_samples, start=first):
            prediction, target = self.results[i]
            if not all(np.isfinite(prediction[key]).all() for key in ('keypoints', 'keypoint_scores')):
                raise ValueError(f'CocoMetric: a prediction of image {prediction["img_id"]} is not finite')
            member = sample.get('member_index')
            if target:
                converted = 'keypoints' if self.gt_converter is None else 'source_keypoints'
                anns = [_target(ann, member, converted) for ann in target['raw_ann_info'] if ann is not None]
                target = dict(target, img_id=_unique(target['img_id'], member), raw_ann_info=anns)
            if self.coco is None:
                prediction = dict(prediction, **{key: _unique(prediction[key], member) for key in ('id', 'img_id')})
            self.results[i] = (dict(prediction, member=member), target)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score all predictions.

        Args:
            results: Pairs of prediction and target.

        Returns:
            Scores by name.

        Raises:
            ValueError: Samples of several data sets are to be scored against one file.
        """
        members = {prediction.get('member') for prediction, _ in results}
        if self.coco is not None and len(members) > 1:
            raise ValueError(
                f'CocoMetric: the samples come from {len(members)} members of a CombinedDataset, which '
                f'ann_file={self.ann_file!r} cannot hold: leave ann_file out, so that the targets of the samples are '
                'used, or give each member a metric of its own in a MultiDatasetEvaluator'
            )
        if self.coco is None and not self.dataset_meta.get('CLASSES'):
            ids = {ann['category_id'] for _, target in results for ann in target['raw_ann_info']}
            self._dataset_meta = dict(self.dataset_meta, CLASSES=[dict(id=i, name=f'{i}') for i in sorted(ids)])
        return super().compute_metrics(results)


# for code that imports the class instead of naming it in a config
mmpose.evaluation.metrics.CocoMetric = CocoMetric


def read_targets(path: str | os.PathLike, required: bool = True) -> COCO:
    """Read the targets of a COCO file, normalised.

    Args:
        path: The file.
        required: Refuse a file without annotations.

    Returns:
        COCO's interface to them.

    Raises:
        AnnotationError: The file has no annotations, or repeats an id.
    """
    content = read_json(path)
    if not isinstance(content, Mapping) or (required and 'annotations' not in content):
        raise AnnotationError(path, "has no key 'annotations'", 'COCO annotations to score against')
    anns = [normalise_target(ann, path) for ann in content.get('annotations', ())]
    for key, items in (('image', content.get('images', ())), ('annotation', anns)):
        seen: set = set()
        for item in items:
            if item['id'] in seen:
                raise AnnotationError(path, f'{key} id {item["id"]} occurs twice', f'ids of its own for each {key}')
            seen.add(item['id'])
    coco = COCO()
    categories = content.get('categories')
    if not categories:
        anns = [dict(category_id=1) | ann for ann in anns]
        categories = [dict(id=i, name='person') for i in sorted({ann['category_id'] for ann in anns}) or [1]]
    coco.dataset = dict(content, annotations=anns, categories=categories)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        coco.createIndex()
    return coco


def _unique(number: Any, member: int | None) -> Any:
    """An id that no two members share; lists hold the ids of the persons of one image."""
    if member is None:
        return number
    return [_unique(n, member) for n in number] if isinstance(number, list) else int(number) * _MAX_MEMBERS + member


def _target(ann: dict, member: int | None, key: str) -> dict:
    """Annotation of a sample; a ``gt_converter`` starts from the joints before a ``KeypointConverter``."""
    ann = normalise_target(dict(ann, keypoints=ann.get(key, ann.get('keypoints'))), 'raw_ann_info')
    return dict(ann, **{key: _unique(ann[key], member) for key in ('id', 'image_id')})
