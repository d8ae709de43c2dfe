"""Cut persons by the edge of the image, with exact labels of the joints that are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmpose.registry import TRANSFORMS

from posestructs.datasets.transforms.occlusion_channel import KEY as OCCLUDED
from posestructs.datasets.transforms.occlusion_channel import PRESENT, labelled
from posestructs.datasets.transforms.random_occluder import sample_seed
from posestructs.utils.checks import check_integer, check_number, check_range, check_weights

CUTS = ('edge', 'waist', 'side')
CUT = 'person_cut'
"""Key of the kind of cut of a sample, which ``PackPoseInputs`` packs into the metainfo."""
MIN_JOINTS, MIN_PIXELS = 3, 16
"""Labelled joints, and pixels along each axis, that a cut leaves."""


@TRANSFORMS.register_module()
class RandomPersonCut(BaseTransform):
    """Crop the image so that its edge cuts the person, and mark the joints that are lost as absent.

    The box becomes the part of the person's box within the crop, as that of a detector would be. All samples get
    ``keypoints_present``, cut or not: 1 for a labelled joint in the image, 0 for one outside it, -1 for one that is not
    labelled. An absent joint counts as unlabelled elsewhere (``keypoints_visible`` 0), so that metrics leave it out.
    ``OcclusionHeatmap(negatives=True)`` makes an empty map with weight 1 of it, from which a model learns to give no
    joint.

    It stands after ``RandomFlip`` and before ``RandomBBoxTransform`` and ``TopdownAffine``.

    Required keys: ``img``, ``bbox``, ``keypoints`` (without them nothing is done), ``keypoints_visible``;
    ``upper_body_ids`` and ``lower_body_ids`` for 'waist' and 'side'; ``bbox_center``, ``bbox_scale``,
    ``keypoints_occluded`` optional. Modified keys: all of them but the ids. Added keys:
    ``keypoints_present``, and ``person_cut``, the kind of the cut, for a person that is cut.

    Args:
        prob: Probability that a person is cut.
        cuts: Kinds of cuts, with weights if a dict. 'edge': at one of the four sides of the box; 'waist': across the
            body, half-way between the means of upper-body and lower-body joints, the lower body is lost; 'side': along
            the body through its middle, one side is lost. Cuts are parallel to the axis of the image that is closest.
        share: Share of the box that 'edge' cuts off.
        jitter: Largest shift of the other two cuts, as a share of the extent of the joints.
        seed: Seed for validation: a sample is then always cut in the same way. By default from numpy's global state.

    Raises:
        ValueError: An argument is not allowed, at build time; or the sample has more than one person, has been through
            ``TopdownAffine``, or lacks the ids.
    """

    def __init__(
        self,
        prob: float = 0.3,
        cuts: str | Sequence[str] | dict[str, float] = CUTS,
        share: float | tuple[float, float] = (0.1, 0.6),
        jitter: float = 0.1,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.prob = check_number('RandomPersonCut.prob', prob, 0, 1)
        self.cuts = check_weights('RandomPersonCut.cuts', cuts, CUTS)
        self.share = check_range('RandomPersonCut.share', share, 0, 0.95)
        self.jitter = check_number('RandomPersonCut.jitter', jitter, 0, 0.5)
        self.seed = check_integer('RandomPersonCut.seed', seed, 0, 2**63 - 1, optional=True)

    @cache_randomness
    def _draw_seed(self) -> int:
        return int(np.random.randint(2**31 - 1))

    def transform(self, results: dict) -> dict:
        """Cut the person of a sample.

        Args:
            results: A sample on its way through a pipeline.

        Returns:
            dict: The same dict. Without ``keypoints`` it is a user's image in an inferencer, and stays as it is.
        """
        if results.get('keypoints') is None:
            return results
        points = results['keypoints']
        if len(points) != 1 or results.get('transformed_keypoints') is not None:
            raise ValueError(
                f'RandomPersonCut: {len(points)} persons, transformed_keypoints '
                f'{"present" if "transformed_keypoints" in results else "absent"}, needed: one person, before '
                'TopdownAffine'
            )
        known = labelled(results['keypoints_visible'])
        rng = np.random.RandomState(self._draw_seed() if self.seed is None else sample_seed(self.seed, results))
        if rng.random_sample() < self.prob and known.any():
            kind, window = self._window(results, points[0, :, :2], known[0], rng)
            if window is not None:
                _crop(results, window)
                results[CUT] = kind
        present = known & inside(results['keypoints'], results['img'].shape)
        results[PRESENT] = np.where(known, present, -1).astype(np.float32)
        visible = np.array(results['keypoints_visible'], copy=True)
        if visible.ndim == 3:
            visible[..., 0] *= present | ~known
        else:
            visible *= present | ~known
        results['keypoints_visible'] = visible
        if results.get(OCCLUDED) is not None:
            results[OCCLUDED] = np.where(known & ~present, 0, results[OCCLUDED]).astype(np.float32)
        return results

    def _window(
        self, results: Mapping, points: np.ndarray, known: np.ndarray, rng: np.random.RandomState
    ) -> tuple[str, tuple[int, int, int, int] | None]:
        """Kind of the cut, and x1, y1, x2, y2 of the part that is kept; None where too little of the person is left."""
        height, width = results['img'].shape[:2]
        names = list(self.cuts)
        kind = names[
            min(int(np.searchsorted(np.cumsum(list(self.cuts.values())), rng.random_sample())), len(names) - 1)
        ]
        axis, low, edge = self._edge(kind, results, points, known, rng)
        window = [0, 0, width, height]
        # the side of the edge that is lost: low coordinates or high ones
        window[axis if low else axis + 2] = int(np.clip(round(edge), 0, (width, height)[axis]))
        x1, y1, x2, y2 = window
        left = known & inside(points - (x1, y1), (y2 - y1, x2 - x1))
        box = _clip(results['bbox'][0], window)
        if left.sum() < MIN_JOINTS or (box[2:] - box[:2] < MIN_PIXELS).any():
            return kind, None
        return kind, (x1, y1, x2, y2)

    def _edge(
        self, kind: str, results: Mapping, points: np.ndarray, known: np.ndarray, rng: np.random.RandomState
    ) -> tuple[int, bool, float]:
        """Axis of the cut (0 for x), whether low coordinates are lost, and where it is."""
        first, second = rng.random_sample(2)
        if kind == 'edge':
            axis, low = divmod(int(first * 4), 2)
            share = self.share[0] + (self.share[1] - self.share[0]) * second
            start, end = results['bbox'][0][axis], results['bbox'][0][axis + 2]
            return axis, bool(low), start + share * (end - start) if low else end - share * (end - start)
        upper, lower = (_mean_of(results, key, points, known) for key in ('upper_body_ids', 'lower_body_ids'))
        along = lower - upper
        axis = int(abs(along[1]) >= abs(along[0]))
        if kind == 'waist':
            low, edge = along[axis] < 0, (upper + lower)[axis] / 2
        else:
            axis = 1 - axis
            low, edge = first < 0.5, points[known, axis].mean()
        return axis, bool(low), edge + (2 * second - 1) * self.jitter * np.ptp(points[known, axis])

    def __repr__(self) -> str:
        keys = ('prob', 'cuts', 'share', 'jitter', 'seed')
        return f'{type(self).__name__}({", ".join(f"{key}={getattr(self, key)}" for key in keys)})'


def inside(points: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Check which joints lie in an image.

    Args:
        points: (..., 2) joints in pixels.
        shape: (H, W, ...) of the image.

    Returns:
        np.ndarray: (...) bool.
    """
    pixels = np.floor(np.asarray(points)[..., :2] + 0.5)
    return ((pixels >= 0) & (pixels < (shape[1], shape[0]))).all(-1)


def _mean_of(results: Mapping, key: str, points: np.ndarray, known: np.ndarray) -> np.ndarray:
    if not results.get(key):
        raise ValueError(f"RandomPersonCut: the sample has no {key}, which 'waist' and 'side' need: use cuts='edge'")
    chosen = [k for k in results[key] if known[k]]
    return points[chosen].mean(0) if chosen else points[known].mean(0)


def _clip(box: np.ndarray, window: Sequence[int]) -> np.ndarray:
    x1, y1, x2, y2 = window
    return np.array([max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2)], np.float64)


def _crop(results: dict, window: tuple[int, int, int, int]) -> None:
    """Crop image, box and joints, in place of the sample but not of its arrays."""
    x1, y1, x2, y2 = window
    old, new = np.asarray(results['bbox'][0], np.float64), _clip(results['bbox'][0], window)
    origin = np.array([x1, y1], np.float32)
    results['img'] = results['img'][y1:y2, x1:x2]
    for key in ('img_shape', 'ori_shape'):
        if key in results:
            results[key] = (y2 - y1, x2 - x1)
    points = np.array(results['keypoints'], copy=True)
    points[..., :2] -= origin
    results['keypoints'] = points
    results['bbox'] = (new - np.tile(origin, 2)).astype(np.float32)[None]
    if results.get('bbox_center') is not None:
        factor = (new[2:] - new[:2]) / np.maximum(old[2:] - old[:2], 1e-9)
        results['bbox_scale'] = (np.asarray(results['bbox_scale'][0]) * factor).astype(np.float32)[None]
        results['bbox_center'] = ((new[:2] + new[2:]) / 2 - origin).astype(np.float32)[None]
