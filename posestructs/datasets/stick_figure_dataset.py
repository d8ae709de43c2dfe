"""Data set of synthetic figures, rendered on the fly from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmengine.logging import MessageHub
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from posestructs.datasets.converted_metainfo import ConvertedMetainfo
from posestructs.datasets.occluder_report import report_occluders
from posestructs.datasets.sample_seeds import SeededSamples
from posestructs.datasets.stick_figure.persons import Artist, LazyPersons, joint_numbers
from posestructs.datasets.stick_figure.scene import SceneOptions, as_image_size
from posestructs.structures.metainfo import load_metainfo, metainfo_file
from posestructs.utils.checks import check_choice, check_integer, check_number, invalid_value

JOINT_SETS = {'lsp': 'lsp', 'mpii': 'mpii_occlusion'}  # to the metainfo file
_MOST_SAMPLES = 2**32


@DATASETS.register_module()
class StickFigureDataset(SeededSamples, ConvertedMetainfo, BaseCocoStyleDataset):
    """Synthetic figures with exact occlusion labels, in any number.

    Image ``i`` is a function of ``seed`` and ``start_index + i`` alone, on every machine and in every worker. Each
    shows one figure, in 25 kinds of pose from any direction, clothed, before a textured background; often with
    look-alike limbs in the background and occluders in front. ``keypoints_occluded`` is exact, since it follows from
    the rendering: 1 where a nearer part of the body, or an occluder, covers the joint. A joint outside the image is not
    labelled. Left and right are the person's.

    Nothing is stored: a set of a million figures is built at once, and each is rendered when it is fetched (``img`` is
    then in the results, and mmpose's ``LoadImage`` uses it). Coordinates count pixels from 0, unlike MPII's own, so
    score PCKh by ``HeadPCK``, or keep in mind that mmpose's ``MpiiPCKAccuracy`` adds 1 to predictions. ``head_size`` is
    MPII's: 0.6 times the diagonal of the head's box.

    Args:
        num_samples: Number of figures.
        image_size: Side, or width and height, in pixels; 32 to 4096.
        joint_set: 'lsp' (14 joints) or 'mpii' (16 joints).
        seed: Seed of the stream of figures.
        start_index: Index in the stream of the first figure: sets of one seed that do not overlap share no image.
        occluder_prob: Probability of one or two occluders in front of the figure.
        lookalike_prob: Probability of one to three look-alike limbs in the background.
        crop_prob: Probability of a close view, where joints can lie outside the image.
        max_rotation: Largest additional rotation in the image plane, in degrees either way.
        scale: Smallest and largest share of the image that the figure spans.
        activities: Kinds of pose, such as ``['walk', 'wave']``; by default all 25.
        max_yaw: Largest turn of the figure away from the camera, in degrees: with 180 as many are seen from behind as
            from the front.
        bbox_padding: Side of the box relative to that of the tight box around the body.
        cache: Keep rendered figures (about 50 KB each at 128 x 128, in every worker).
        metainfo: Metainfo in place of that of the joint set; it may leave out or reorder joints.
        data_mode: 'topdown'.
        indices, pipeline, test_mode, lazy_init, max_refetch: As in mmpose's data sets.

    Raises:
        ValueError: A value that is not allowed; names the key.
    """

    # read by mmpose's tools that build no data set; the instance goes by its joint set
    METAINFO: dict = dict(from_file=metainfo_file('lsp'))

    def __init__(
        self,
        num_samples: int = 10000,
        *,
        image_size: int | tuple[int, int] = 128,
        joint_set: str = 'lsp',
        seed: int = 0,
        start_index: int = 0,
        occluder_prob: float = SceneOptions.occluder_prob,
        lookalike_prob: float = SceneOptions.lookalike_prob,
        crop_prob: float = SceneOptions.crop_prob,
        max_rotation: float = SceneOptions.max_rotation,
        scale: tuple[float, float] = SceneOptions.scale,
        activities: Sequence[str] | None = None,
        max_yaw: float = SceneOptions.max_yaw,
        bbox_padding: float = 1.0,
        cache: bool = False,
        metainfo: dict | None = None,
        data_mode: str = 'topdown',
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        check_integer('num_samples', num_samples, 1, _MOST_SAMPLES)
        check_integer('seed', seed, 0, 2**63 - 1)
        check_integer('start_index', start_index, 0, _MOST_SAMPLES - num_samples)
        check_number('bbox_padding', bbox_padding, 0.1, 10)
        check_choice('joint_set', joint_set, JOINT_SETS)
        if data_mode != 'topdown':
            raise invalid_value('data_mode', data_mode, "'topdown', since an image has one figure")
        options = SceneOptions(occluder_prob, lookalike_prob, crop_prob, max_rotation, scale, activities, max_yaw)
        own_name = metainfo is None
        metainfo = metainfo or dict(from_file=metainfo_file(JOINT_SETS[joint_set]))
        artist = Artist(seed, as_image_size('image_size', image_size), options, bbox_padding)
        self._persons = LazyPersons(artist, range(start_index, start_index + num_samples), cache)
        super().__init__(
            metainfo=metainfo,
            indices=indices,
            serialize_data=False,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=True,
            max_refetch=max_refetch,
        )
        if own_name:
            self._metainfo['dataset_name'] = 'stick_figure'
        artist.joints = joint_numbers(self._metainfo['keypoint_id2name'])
        if test_mode:
            # without an annotation file CocoMetric takes the targets from raw_ann_info and CLASSES
            MessageHub.get_current_instance().update_info(f'{self._metainfo["dataset_name"]}_ann_file', None)
        report_occluders(self)
        if not lazy_init:
            self.full_init()

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return dict(load_metainfo(metainfo), CLASSES=[dict(id=1, name='person')])

    def load_data_list(self) -> LazyPersons:
        """The figures, each rendered when it is fetched."""
        return self._persons

    def filter_data(self) -> LazyPersons:
        """Nothing to filter: every figure can be used."""
        return self.data_list

    def _get_unserialized_subset(self, indices: int | Sequence[int]) -> LazyPersons:
        return self.data_list.select(indices)
