"""Artificial occluders with exact labels."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.dataset import BaseDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import TRANSFORMS

from posestructs.datasets.errors import BadImageError
from posestructs.datasets.transforms import occluders
from posestructs.datasets.transforms.load_verified_image import LoadVerifiedImage
from posestructs.datasets.transforms.occlusion_channel import (
    CONVERSION_MARK,
    FLIP_MARK,
    KEY,
    has_occlusion,
    labelled,
    unknown_occlusion,
)
from posestructs.utils.checks import (
    check_bool,
    check_integer,
    check_number,
    check_pairs,
    check_range,
    check_weights,
)

TARGETS = ('joint', 'limb')
FILLS = ('flat', 'noise', 'patch')
_PATCH_TRIES = 8


def sample_seed(seed: int, results: Mapping) -> int:
    """Seed of one sample, the same in every process, epoch and order of loading.

    Args:
        seed: Seed of the whole data set.
        results: A sample with ``id``, ``img_id`` or ``img_path``; the first of them that is there counts.

    Returns:
        int: 0 to 2**32 - 1.

    Raises:
        ValueError: The sample has none of them.
    """
    for key in ('id', 'img_id', 'img_path'):
        if results.get(key) is not None:
            name = f'{seed}/{key}={np.asarray(results[key]).tolist()}'
            return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], 'big')
    raise ValueError(f'seed={seed} needs id, img_id or img_path in the sample, it has {sorted(results)}')


@TRANSFORMS.register_module()
class RandomOccluder(BaseTransform):
    """Paste occluders over joints and limbs, and mark the labelled joints under them as occluded.

    A joint is marked exactly if its pixel is pasted over (see ``mark_margin``). Others keep their label: 1 stays 1, -1
    stays -1. Where the data set has no occlusion labels, those of the other joints follow ``assume_visible``; they are
    set in samples without an occluder too, so that all samples of a data set are alike.

    It may stand before ``TopdownAffine``, where it works on ``keypoints`` and the whole image, or after it, where it
    works on ``transformed_keypoints`` and the crop. After it is cheaper. The image of the data set is never changed:
    it is copied before.

    Required keys: ``img``, ``keypoints`` (without them nothing is done), ``keypoints_visible``;
    ``transformed_keypoints``, ``skeleton_links`` (limbs), ``dataset`` (patches), ``keypoints_occluded`` optional.
    Modified keys: ``img``, ``keypoints_occluded``.

    Args:
        prob: Probability that a sample gets occluders. Defaults to 0.5.
        num: Least and greatest number of occluders. Defaults to (1, 3).
        size: Length of an occluder over a joint, as a share of the person's size: the longer side of the box around the
            labelled joints. Defaults to (0.1, 0.3).
        aspect: Width over length. One over a limb is as wide, and covers the limb's length and half its own width
            beyond both ends. Defaults to (0.5, 1).
        targets: 'joint' and 'limb', with weights if a dict. Limbs are the links of ``skeleton_links`` with both ends
            labelled; a sample without any gets joints.
        shapes: 'ellipse', 'rectangle', 'polygon'.
        fills: 'flat' (one colour), 'noise', 'patch' (a piece of another image of the data set, noise if none can be
            had).
        jitter: Largest distance of an occluder's centre from its target along each axis, in halves of its size, so that
            a joint is not always under the centre. Defaults to 0.5.
        mark_margin: Joints within this many pixels beside an occluder are marked too; where negative, only those at
            least as deep under it. Defaults to 0.
        seed: Seed for validation: a sample then always gets the same occluders, which depend on the seed and the
            sample's ``id`` only (and, for patches, on the data set), not on epoch, order, workers or numpy's global
            state. Defaults to None: new ones each time, from numpy's global state as in mmpose's transforms.
        assume_visible: Label uncovered joints of a data set without occlusion labels as visible (0), which is right for
            LSPE, instead of not known (-1). Defaults to True.
        skeleton_links: Joint indices of the limbs, instead of the sample's. Defaults to None: the sample's, or where it
            has none, those of the ``metainfo`` of its ``dataset`` if that has as many joints.
        backend_args: File backend of the images that patches come from. Defaults to None: that of the data set's own
            pipeline, or memory where the data set keeps its images there.

    Raises:
        ValueError: An argument is not allowed (at build time); patches are asked for without ``dataset``; the links do
            not fit the joints.
    """

    def __init__(
        self,
        prob: float = 0.5,
        num: int | tuple[int, int] = (1, 3),
        size: float | tuple[float, float] = (0.1, 0.3),
        aspect: float | tuple[float, float] = (0.5, 1.0),
        targets: str | Sequence[str] | dict[str, float] = TARGETS,
        shapes: str | Sequence[str] | dict[str, float] = occluders.SHAPES,
        fills: str | Sequence[str] | dict[str, float] = FILLS,
        jitter: float = 0.5,
        mark_margin: int = 0,
        seed: int | None = None,
        assume_visible: bool = True,
        skeleton_links: Sequence[tuple[int, int]] | None = None,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__()
        self.prob = check_number('RandomOccluder.prob', prob, 0, 1)
        self.num = check_range('RandomOccluder.num', num, 1, 100, integer=True)
        self.size = check_range('RandomOccluder.size', size, 0.001, 10)
        self.aspect = check_range('RandomOccluder.aspect', aspect, 0.001, 1)
        self.targets = check_weights('RandomOccluder.targets', targets, TARGETS)
        self.shapes = check_weights('RandomOccluder.shapes', shapes, occluders.SHAPES)
        self.fills = check_weights('RandomOccluder.fills', fills, FILLS)
        self.jitter = check_number('RandomOccluder.jitter', jitter, 0, 1)
        self.mark_margin = check_integer('RandomOccluder.mark_margin', mark_margin, -100, 100)
        self.seed = check_integer('RandomOccluder.seed', seed, 0, 2**63 - 1, optional=True)
        self.assume_visible = check_bool('RandomOccluder.assume_visible', assume_visible)
        if skeleton_links is not None:
            skeleton_links = check_pairs('RandomOccluder.skeleton_links', skeleton_links)
        self.skeleton_links = skeleton_links
        self._loader = None if backend_args is None else LoadVerifiedImage(backend_args=backend_args)
        self._rng = np.random.RandomState()  # seeded anew for each sample, which costs a hundredth of making one

    @cache_randomness
    def _draw_seed(self) -> int:
        """The only draw from numpy's global state, once per sample."""
        return int(np.random.randint(2**31 - 1))

    def transform(self, results: dict) -> dict:
        """Paste occluders into a sample.

        Args:
            results: A sample on its way through a pipeline.

        Returns:
            dict: The same dict. Without ``keypoints`` it is a user's image in an inferencer, and stays as it is.
        """
        if results.get('keypoints') is None:
            return results
        rng = self._rng
        rng.seed(self._draw_seed() if self.seed is None else sample_seed(self.seed, results))
        points = results.get('transformed_keypoints')
        points = results['keypoints'] if points is None else points
        visible = results['keypoints_visible']
        known = has_occlusion(results)
        if known:
            labels = results[KEY].astype(np.float32)
        else:
            labels = unknown_occlusion(visible) * (not self.assume_visible)
            results[FLIP_MARK] = results.get('flip')  # made after the flip, they fit it
            results[CONVERSION_MARK] = visible.ndim == 3
        if rng.random_sample() < self.prob:
            results['img'], mask = self.occlude(results, points, labelled(visible), rng)
            labels[occluders.covered(points, labelled(visible), mask, self.mark_margin)] = 1
        results[KEY] = labels
        return results

    def occlude(
        self, results: Mapping, points: np.ndarray, known: np.ndarray, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paste occluders into a copy of the image.

        Args:
            results: The sample, with ``img`` (H, W, 3).
            points: (N, K, 2) joints in pixels of that image.
            known: (N, K) bool, the labelled joints.
            rng: Source of all random draws.

        Returns:
            tuple[np.ndarray, np.ndarray]: The new image, and (H, W) bool, where it differs from the old.

        Raises:
            TypeError: ``img`` is not an array but, for example, a list of images.
        """
        if not isinstance(results['img'], np.ndarray):
            raise TypeError(
                f'RandomOccluder: img is of type {type(results["img"]).__name__}, allowed: one image, an array'
            )
        image = results['img'].copy()
        shape = image.shape[:2]
        mask = np.zeros(shape, dtype=bool)
        inside = known & ((points[..., :2] >= 0) & (points[..., :2] <= np.array(shape[::-1]) - 1)).all(axis=-1)
        persons = np.flatnonzero(inside.any(axis=1))
        if not len(persons):
            return image, mask
        links = self._links(results, known.shape[1])
        least, most = self.num
        for _ in range(least + int(rng.random_sample() * (most - least + 1))):
            i = persons[int(rng.random_sample() * len(persons))]
            size = max(float(np.ptp(points[i, known[i], :2], axis=0).max()), max(shape) / 10)
            corners = self._place(points[i, :, :2], inside[i], size, links, rng)
            piece = occluders.fill_outline(corners, shape)
            window = occluders.window_of(piece)
            if window is None:
                continue
            where = piece[window]
            fill = self._fill(results, where.shape, shape, rng)
            paste = where if image.ndim == 2 else where[..., None]
            np.copyto(image[window], _like(fill, image.ndim), where=paste, casting='unsafe')
            mask |= piece
        return image, mask

    def _links(self, results: Mapping, num_joints: int) -> np.ndarray:
        links = results.get('skeleton_links') if self.skeleton_links is None else self.skeleton_links
        if links is None:
            metainfo = getattr(results.get('dataset'), 'metainfo', {})
            links = metainfo.get('skeleton_links') if metainfo.get('num_keypoints') == num_joints else None
        links = np.array([] if links is None else links, dtype=int).reshape(-1, 2)
        if links.size and not 0 <= links.min() <= links.max() < num_joints:
            raise ValueError(
                f'skeleton_links={links.tolist()} do not fit {num_joints} joints: give those of the joints at '
                'this place of the pipeline to RandomOccluder(skeleton_links=...)'
            )
        return links

    def _place(
        self, points: np.ndarray, usable: np.ndarray, size: float, links: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Corners of an occluder near a joint or limb of one person; (K, 2), (K,), pixels, (L, 2) -> (M, 2)."""
        length = size * _uniform(self.size, rng)
        width = length * _uniform(self.aspect, rng)
        links = links[usable[links].all(axis=1)]
        if choose(self.targets, rng) == 'limb' and len(links):
            start, end = points[links[int(rng.random_sample() * len(links))]].astype(np.float64)
            centre, along = (start + end) / 2, end - start
            angle, reach = float(np.arctan2(along[1], along[0])), np.array([width, width])
            length = float(np.hypot(*along)) + width
        else:
            joints = np.flatnonzero(usable)
            centre = points[joints[int(rng.random_sample() * len(joints))]].astype(np.float64)
            angle, reach = np.pi * rng.random_sample(), np.array([length, width])
        corners = occluders.outline(choose(self.shapes, rng), (length, width), angle, rng)
        off = (2 * rng.random_sample(2) - 1) * self.jitter * reach / 2
        return centre + off @ occluders.rotation(angle) + corners

    def _fill(
        self, results: Mapping, window: tuple[int, int], image_shape: tuple[int, int], rng: np.random.RandomState
    ) -> np.ndarray:
        if 'patch' in self.fills and results.get('dataset') is None:
            raise ValueError("fills has 'patch', which needs the sample's dataset, as mmpose's data sets give it")
        fill = choose(self.fills, rng)
        if fill == 'flat':
            return occluders.flat_fill(*window, rng)
        source = self._other_image(results, rng) if fill == 'patch' else None
        if source is None:
            return occluders.noise_fill(*window, rng)
        return occluders.patch_fill(*window, source, image_shape, rng)

    def _other_image(self, results: Mapping, rng: np.random.RandomState) -> np.ndarray | None:
        """An image of the data set that is not the sample's own, or ``None`` after some tries."""
        dataset = results['dataset']
        own = results.get('img_path'), results.get('img_id')
        loader = self._loader or _loader_of(dataset)
        for _ in range(_PATCH_TRIES):
            other = _data_info(dataset, int(rng.random_sample() * len(dataset)))
            if (other.get('img_path'), other.get('img_id')) == own:
                continue
            try:
                return other['img'] if 'img' in other else loader.load(other['img_path'])
            except BadImageError:  # the sample itself is good; the bad one is reported when its own turn comes
                continue
        return None

    def __repr__(self) -> str:
        keys = ('prob', 'num', 'size', 'aspect', 'targets', 'shapes', 'fills', 'jitter', 'mark_margin', 'seed')
        return f'{type(self).__name__}({", ".join(f"{key}={getattr(self, key)}" for key in keys)})'


def _uniform(limits: tuple[float, float], rng: np.random.RandomState) -> float:
    return limits[0] + (limits[1] - limits[0]) * rng.random_sample()


def choose(weights: Mapping[str, float], rng: np.random.RandomState) -> str:
    """Choose a name by its probability."""
    # rounding of the sum must not go past the last one
    place, edges = rng.random_sample(), itertools.accumulate(weights.values())
    return next((name for name, edge in zip(weights, edges, strict=True) if place < edge), list(weights)[-1])


def _data_info(dataset: Any, index: int) -> dict:
    """Read a sample of a data set without the copies of metainfo that mmpose adds."""
    if type(dataset).get_data_info is BaseCocoStyleDataset.get_data_info:
        return BaseDataset.get_data_info(dataset, index)
    return dataset.get_data_info(index)


def _loader_of(dataset: Any) -> LoadVerifiedImage:
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return next((step for step in steps if isinstance(step, LoadVerifiedImage)), None) or LoadVerifiedImage()


def _like(fill: np.ndarray, ndim: int) -> np.ndarray:
    """A filling with the channels of the image: grey where it has none."""
    if ndim == 2 and fill.ndim == 3:
        return fill[..., 0]
    return fill[..., None] if ndim == 3 and fill.ndim == 2 else fill
