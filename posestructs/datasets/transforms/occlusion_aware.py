"""mmpose's transforms, extended to keep ``keypoints_occluded`` with its joint.

Each class takes the place of mmpose's of the same name in ``mmpose.registry.TRANSFORMS``, so that mmpose's own configs
handle occlusion labels without a change. Without labels (the key absent or ``None``) each does exactly what mmpose's
does. A config that names classes instead of strings must import them from here.
"""

from __future__ import annotations

from typing import Any

import mmpose.datasets.transforms as mmpose_transforms
import numpy as np
from mmpose.registry import TRANSFORMS

from posestructs.datasets.transforms.occlusion_channel import (
    CONVERSION_MARK,
    FLIP_MARK,
    KEY,
    PRESENT,
    has_occlusion,
    join,
    labelled,
    merge_sources,
    refuse_present,
    split,
    unknown_occlusion,
)
from posestructs.structures.joint_conversion import (
    check_sources,
    convert_coco_keypoints,
    convert_joint_fields,
    joint_sources,
)

_OWN = {KEY: KEY, PRESENT: PRESENT}


class _CarryOcclusion:
    """Mixin for a transform that treats ``keypoints_visible`` of one sample as the labels must be treated."""

    def transform(self, results: dict) -> dict | None:
        if not has_occlusion(results):
            return super().transform(results)
        visible = results['keypoints_visible']
        join(results)
        results = super().transform(results)
        if results is not None:
            split(results, visible.ndim, visible.dtype)
        return results


class _CarryOcclusionMixed:
    """Mixin for a transform that puts the persons of several images into one.

    Persons from a data set without occlusion labels get -1 (not known) if those of another image in the mix have them.
    """

    def apply_mix(self, results: dict) -> dict:
        mix = [r for r in (results, *results['mixed_data_list']) if 'keypoints' in r]
        if not any([has_occlusion(r) for r in mix]):
            return super().apply_mix(results)
        converted = [bool(r.get(CONVERSION_MARK)) or r['keypoints_visible'].ndim == 2 for r in mix if has_occlusion(r)]
        ndim = mix[0]['keypoints_visible'].ndim
        dtype = np.result_type(*(r['keypoints_visible'] for r in mix))
        for r in mix:
            if not has_occlusion(r):
                r[KEY] = unknown_occlusion(r['keypoints_visible'])
            join(r)
        results = super().apply_mix(results)
        split(results, ndim, dtype)
        results[CONVERSION_MARK] = ndim == 3 and all(converted)
        return results


@TRANSFORMS.register_module(force=True)
class RandomFlip(_CarryOcclusion, mmpose_transforms.RandomFlip):
    """mmpose's ``RandomFlip`` that swaps ``keypoints_occluded`` where it swaps ``keypoints_visible``.

    Horizontal and vertical flips swap left and right, diagonal ones (a rotation by 180 degrees) do not.
    """

    def transform(self, results: dict) -> dict:
        refuse_present(type(self).__name__, results)
        if results.get('unpaired_joints'):
            raise ValueError(
                f'RandomFlip after a KeypointConverter that keeps joints {results["unpaired_joints"]} without their '
                'mirror images: put RandomFlip before KeypointConverter, or map the mirror images too'
            )
        results = super().transform(results)
        results[FLIP_MARK] = results['flip']
        return results


@TRANSFORMS.register_module(force=True)
class HandRandomFlip(mmpose_transforms.HandRandomFlip, RandomFlip):
    """mmpose's ``HandRandomFlip`` that swaps ``keypoints_occluded`` too."""


@TRANSFORMS.register_module(force=True)
class RandomFlipAroundRoot(mmpose_transforms.RandomFlipAroundRoot):
    """mmpose's ``RandomFlipAroundRoot`` that swaps ``keypoints_occluded`` too, unless only labels are flipped."""

    def transform(self, results: dict) -> dict:
        refuse_present(type(self).__name__, results)
        if self.flip_label or not has_occlusion(results):
            return super().transform(results)
        # It swaps the last axis, whichever that is: here the labels are further rows instead of a channel.
        visible = results['keypoints_visible']
        results['keypoints_visible'] = np.concatenate([visible, results[KEY]])
        results = super().transform(results)
        rows = results['keypoints_visible']
        results['keypoints_visible'] = rows[: len(visible)].astype(visible.dtype)
        results[KEY] = rows[len(visible) :].astype(np.float32)
        return results


@TRANSFORMS.register_module(force=True)
class KeypointConverter(mmpose_transforms.KeypointConverter):
    """mmpose's ``KeypointConverter`` that converts everything that belongs to the joints.

    Flip indices and pairs, upper and lower body, joint weights and links of the sample become those of the new joints
    (:func:`convert_joint_fields`), so that ``RandomFlip`` and ``RandomHalfBody`` may follow; mmpose leaves those of the
    old joints. ``keypoints_occluded`` is mapped too: a joint between two others is occluded if one of them is, else
    unknown if one of them is; a joint without a source, or with an unlabelled one, gets 0. A sample without joints, as
    in an inferencer, stays as it is.

    Args:
        num_keypoints: Number of joints after the conversion.
        mapping: Pairs (source or two sources, target); the mean of two sources is taken.

    Raises:
        ValueError: An argument has another form, or the mapping names a joint that does not exist (sources: when the
            first sample is converted).
    """

    def __init__(self, num_keypoints: int, mapping: list) -> None:
        self.sources = joint_sources(num_keypoints, mapping)  # before mmpose's, whose errors name no value
        super().__init__(num_keypoints, mapping)

    def transform(self, results: dict) -> dict:
        if results.get('keypoints') is None:
            return results
        refuse_present(type(self).__name__, results)
        check_sources(self.sources, results['keypoints'].shape[1])
        source = results[KEY] if has_occlusion(results) else None
        converted = convert_joint_fields(results, self.sources)
        # mmpose's own conversion of flip_indices is wrong, or an IndexError, unless joints keep their places
        results.pop('flip_indices', None)
        results = super().transform(results)
        results.update(converted)
        if results.get('raw_ann_info') is not None:
            results['raw_ann_info'] = self._convert_annotations(results['raw_ann_info'])
        if source is not None:
            values = source[:, self.source_index]
            if self.interpolation:
                values = merge_sources(values, source[:, self.source_index2])
            target = np.zeros((len(source), self.num_keypoints), dtype=np.float32)
            target[:, self.target_index] = values
            results[KEY] = target * labelled(results['keypoints_visible'])
            results[CONVERSION_MARK] = True
        return results

    def _convert_annotations(self, anns: dict | list) -> dict | list:
        """Convert the joints of COCO annotations, from which ``CocoMetric`` takes its targets."""
        if isinstance(anns, list):
            return [self._convert_annotations(ann) for ann in anns]
        if not isinstance(anns, dict) or not anns.get('keypoints'):
            return anns
        keypoints = convert_coco_keypoints(anns['keypoints'], self.sources)
        count = sum(flag > 0 for flag in keypoints[2::3])
        return dict(anns, keypoints=keypoints, num_keypoints=count, source_keypoints=anns['keypoints'])


@TRANSFORMS.register_module(force=True)
class SingleHandConverter(mmpose_transforms.SingleHandConverter):
    """mmpose's ``SingleHandConverter`` that maps ``keypoints_occluded`` too."""

    def __init__(self, num_keypoints: int, left_hand_mapping: list, right_hand_mapping: list) -> None:
        super().__init__(num_keypoints, left_hand_mapping, right_hand_mapping)
        self.left_hand_converter = KeypointConverter(num_keypoints, left_hand_mapping)
        self.right_hand_converter = KeypointConverter(num_keypoints, right_hand_mapping)


@TRANSFORMS.register_module(force=True)
class FilterAnnotations(_CarryOcclusion, mmpose_transforms.FilterAnnotations):
    """mmpose's ``FilterAnnotations`` that drops the same persons from ``keypoints_occluded``."""


@TRANSFORMS.register_module(force=True)
class BottomupRandomCrop(_CarryOcclusion, mmpose_transforms.BottomupRandomCrop):
    """mmpose's ``BottomupRandomCrop`` that drops the same persons from ``keypoints_occluded``."""


@TRANSFORMS.register_module(force=True)
class Mosaic(_CarryOcclusionMixed, mmpose_transforms.Mosaic):
    """mmpose's ``Mosaic`` that collects ``keypoints_occluded`` of all four images."""


@TRANSFORMS.register_module(force=True)
class YOLOXMixUp(_CarryOcclusionMixed, mmpose_transforms.YOLOXMixUp):
    """mmpose's ``YOLOXMixUp`` that collects ``keypoints_occluded`` of both images, flipped where it flips."""


@TRANSFORMS.register_module(force=True)
class PackPoseInputs(mmpose_transforms.PackPoseInputs):
    """mmpose's ``PackPoseInputs`` that packs ``keypoints_occluded`` and ``keypoints_present`` into ``gt_instances``.

    Each where it is known.

    Raises:
        ValueError: The sample has occlusion labels and was flipped, or its joints converted, by a class that knows
            nothing of them, so that labels are at the wrong joints.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # of a CombinedDataset, for CocoMetric, and of RandomPersonCut
        self.meta_keys = (*self.meta_keys, 'member_index', 'person_cut')

    instance_mapping_table = dict(mmpose_transforms.PackPoseInputs.instance_mapping_table, **_OWN)

    def transform(self, results: dict) -> dict:
        if 'instance_mapping_table' in results:  # a codec's own table takes the place of the class's
            results['instance_mapping_table'] = dict(results['instance_mapping_table'], **_OWN)
        if results.get(KEY) is None:
            results.pop(KEY, None)  # InstanceData refuses None
            return super().transform(results)
        turned = results.get('flip') and results.get('flip_direction') != 'diagonal'
        if turned and not results.get(FLIP_MARK):
            raise ValueError(
                f'{KEY} was not swapped by the flip in this pipeline: use type="RandomFlip" as a string, '
                'or a subclass of posestructs.datasets.transforms.RandomFlip'
            )
        if results.get('keypoints') is not None and results.get('keypoints_visible') is not None:
            has_occlusion(results)  # one label per joint
            # only a KeypointConverter gives keypoints_visible its channel of weights
            if results['keypoints_visible'].ndim == 3 and not results.get(CONVERSION_MARK):
                raise ValueError(
                    f'{KEY} was not mapped by the KeypointConverter in this pipeline: use type="KeypointConverter" as '
                    'a string, or a subclass of posestructs.datasets.transforms.KeypointConverter'
                )
        return super().transform(results)
