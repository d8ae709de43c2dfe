"""Codec of Adversarial PoseNet: Gaussian heatmaps of joints and of occluded joints (Chen et al., ICCV 2017).

Map k is a Gaussian at joint k. Map K + k is the same Gaussian where joint k is known to be occluded, and empty where it
is known to be visible. Where neither is known, the map has weight 0 in the loss, since a target of zeros would train
the model to predict the joint as visible.

**Probability of occlusion.** The maps that minimise the squared error are y_k(x) = E[g(x - p_k)] and
z_k(x) = E[o_k g(x - p_k)], with p_k the joint, g the Gaussian, o_k = 1 where the joint is occluded, and the expectation
over the poses that the image allows. z_k alone is low wherever the joint is hard to locate, as occluded joints are;
z_k(x) / y_k(x) is the probability that the joint is occluded, given that it is near x.
:meth:`OcclusionHeatmap.decode_occlusion` returns this ratio over the cells around the decoded joint.

Shapes: K joints, H x W cells; positions are (x, y) in input pixels or in cells, with cells as points
(:mod:`posestructs.layers.heatmaps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.codecs.utils import get_heatmap_maximum
from mmpose.registry import KEYPOINT_CODECS

from posestructs.codecs.gaussian_maps import draw_gaussians, fill_gaussians
from posestructs.codecs.person_labels import read_person
from posestructs.codecs.person_size import PersonSize
from posestructs.utils.checks import check_bool, check_choice, check_integer, check_number, check_size, invalid_value
from posestructs.utils.usage import UsageError

OCCLUDED, VISIBLE, UNKNOWN = 1, 0, -1
"""Values of ``keypoints_occluded``."""

DECODERS = ('argmax_shift', 'dark', 'udp', 'plain')


@KEYPOINT_CODECS.register_module()
class OcclusionHeatmap(BaseKeypointCodec):
    """Encode joints as K pose maps and K occlusion maps, and decode maps to joints.

    ``decode`` selects matching encoders and decoders:

    - ``'argmax_shift'``: Gaussians at whole cells; the maximum, moved a quarter cell to the higher neighbour. As
      ``MSRAHeatmap(unbiased=False)``.
    - ``'plain'``: the same Gaussians; the maximum alone.
    - ``'dark'``: Gaussians at the exact position; the maximum refined by DARK. As ``MSRAHeatmap(unbiased=True)``.
    - ``'udp'``: as ``UDPHeatmap``; use it with ``TopdownAffine(use_udp=True)``.

    Args:
        input_size: Width and height of the input in pixels.
        heatmap_size: Width and height of the maps in cells.
        sigma: Standard deviation of the Gaussians in cells. The paper does not give it; Newell et al. use 1.
        decode: Encoder and decoder, see above.
        with_occlusion: Make and read the K occlusion maps.
        require_occlusion: Refuse a sample without occlusion labels; by default its occlusion maps have weight 0.
        negatives: Encode joints outside the image or the map as empty maps with weight 1, so that a model learns to
            give no joint there; by default they have weight 0. Needs ``keypoints_present`` of
            :class:`~posestructs.datasets.transforms.RandomPersonCut`.
        normalize: Reference length of a person, 'box', 'torso' or 'head'. See
            :class:`~posestructs.codecs.person_size.PersonSize`, also for ``pair`` and ``metainfo``.
        pair: Two joints whose distance is the reference length.
        metainfo: Metainfo of the data set, to find joints by name.
        blur_kernel_size: Size of the blur of DARK and UDP; 11 for a sigma of 2.

    Raises:
        ValueError: An argument is not allowed.
    """

    field_mapping_table = dict(heatmaps='heatmaps')
    label_mapping_table = dict(
        keypoint_weights='keypoint_weights',
        occlusion_weights='occlusion_weights',
        keypoint_cells='keypoint_cells',
        normaliser='normaliser',
    )

    def __init__(
        self,
        input_size: Sequence[int],
        heatmap_size: Sequence[int],
        sigma: float,
        decode: str = 'argmax_shift',
        with_occlusion: bool = True,
        require_occlusion: bool = False,
        negatives: bool = False,
        normalize: str = 'box',
        pair: Sequence[int | str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        blur_kernel_size: int = 11,
    ) -> None:
        super().__init__()
        self.input_size = check_size('OcclusionHeatmap.input_size', input_size)
        self.heatmap_size = check_size('OcclusionHeatmap.heatmap_size', heatmap_size)
        self.sigma = check_number('OcclusionHeatmap.sigma', sigma, above=0)
        self.decoding = check_choice('OcclusionHeatmap.decode', decode, DECODERS)
        if check_integer('OcclusionHeatmap.blur_kernel_size', blur_kernel_size, 1) % 2 == 0:
            raise invalid_value('OcclusionHeatmap.blur_kernel_size', blur_kernel_size, 'an odd number')
        if require_occlusion and not with_occlusion:
            raise ValueError('OcclusionHeatmap: require_occlusion=True requires with_occlusion=True')
        self.with_occlusion, self.require_occlusion = with_occlusion, require_occlusion
        self.negatives = check_bool('OcclusionHeatmap.negatives', negatives)
        shared = dict(input_size=self.input_size, heatmap_size=self.heatmap_size, sigma=sigma)
        if decode == 'udp':
            self.pose_codec = UDPHeatmap(blur_kernel_size=blur_kernel_size, **shared)
        else:
            self.pose_codec = MSRAHeatmap(unbiased=decode == 'dark', blur_kernel_size=blur_kernel_size, **shared)
        # input pixels per cell, (x, y)
        self.scale_factor = self.pose_codec.scale_factor
        self.person_size = PersonSize(normalize, pair, metainfo)
        # keys of a sample that GenerateTarget passes on, None where one is absent
        self.auxiliary_encode_keys = {'keypoints_occluded', *self.person_size.keys}
        if self.negatives:
            self.auxiliary_encode_keys.add('keypoints_present')

    def keypoints_to_cells(self, keypoints: np.ndarray) -> np.ndarray:
        """(..., 2) input pixels to (..., 2) heatmap cells, float32."""
        return (np.asarray(keypoints)[..., :2] / self.scale_factor).astype(np.float32)

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: np.ndarray | None = None,
        keypoints_occluded: np.ndarray | None = None,
        keypoints_present: np.ndarray | None = None,
        bbox: np.ndarray | None = None,
        head_size: np.ndarray | None = None,
        input_scale: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Make the targets of one person.

        Args:
            keypoints: (1, K, 2) joints in input pixels.
            keypoints_visible: (1, K) weights of the joints, above 0 where labelled; by default all are labelled.
            keypoints_occluded: (1, K) 1 occluded, 0 visible, -1 unknown; None for all unknown.
            keypoints_present: (1, K) 1 in the image, 0 outside it, -1 not labelled, for ``negatives``.
            bbox: (1, 4) box of the person in image pixels, for ``normalize='box'``.
            head_size: (1,) head size in image pixels, for ``normalize='head'``.
            input_scale: (2,) width and height of the input's window in image pixels; by default the input's own size.

        Returns:
            dict[str, np.ndarray]: All float32: ``heatmaps`` (2K, H, W), pose maps first, or (K, H, W) without
            occlusion; ``keypoint_weights`` (1, K), 0 where a joint is not labelled or its Gaussian lies outside
            (but see ``negatives``); ``occlusion_weights`` (1, K), 1 where in addition the occlusion is known,
            else 0, and 0 of a joint outside; ``keypoint_cells``
            (1, K, 2) joints in cells; ``normaliser`` (1,) the person's size in cells, 0 where it is unknown.

        Raises:
            ValueError: More than one person, labels that do not fit the joints, or none where they are required.
        """
        points, weights = read_person('OcclusionHeatmap', keypoints, keypoints_visible)
        labelled, cells = weights > 0, self.keypoints_to_cells(points)
        known, occluded = self._read_occlusion(keypoints_occluded, labelled)
        size = self.person_size(points, labelled, bbox, head_size, self._zoom(input_scale))
        maps, inside = self._draw(cells, labelled, occluded)
        weights = weights * inside
        absent = self._read_absent(keypoints_present, labelled, inside)
        return dict(
            heatmaps=maps,
            keypoint_weights=np.where(absent, 1, weights).astype(np.float32)[None],
            occlusion_weights=(known & (weights > 0)).astype(np.float32)[None],
            keypoint_cells=cells[None],
            normaliser=np.array([size / self._stride], np.float32),
        )

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode the joints of one person.

        Args:
            encoded: (2K, H, W) maps as :meth:`encode` makes them, or (K, H, W) without occlusion.

        Returns:
            tuple[np.ndarray, np.ndarray]: (1, K, 2) joints in input pixels; (1, K) scores, the maxima of the pose maps.

        Raises:
            ValueError: The maps contain NaN, or their number is odd where half of them are of occlusion.
        """
        pose, _ = self.split(encoded)
        if self.decoding != 'plain':
            return self.pose_codec.decode(pose)
        cells, scores = get_heatmap_maximum(pose)
        return cells[None] * self.scale_factor, scores[None]

    def decode_occlusion(self, encoded: np.ndarray) -> np.ndarray:
        """Probability that each joint is occluded: sum of z_k over sum of y_k in the 3 x 3 cells around y_k's maximum.

        Args:
            encoded: (2K, H, W) maps as :meth:`encode` makes them.

        Returns:
            np.ndarray: (1, K) float32, 0 to 1; 0.5 (undecided) where the pose map has no positive value.

        Raises:
            ValueError: There are no occlusion maps.
        """
        pose, occlusion = self.split(encoded)
        if occlusion is None:
            raise ValueError('OcclusionHeatmap: with_occlusion=False, there are no occlusion maps to decode')
        peaks, values = get_heatmap_maximum(pose)
        around = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
        x, y = np.moveaxis(peaks[:, None].astype(int) + around, 2, 0)
        height, width = pose.shape[1:]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        at = np.arange(len(pose))[:, None], y.clip(0, height - 1), x.clip(0, width - 1)
        # P(o_k = 1 | joint near x) = E[o_k g] / E[g]
        joint, hidden = ((maps[at].clip(0) * inside).sum(1, dtype=np.float64) for maps in (pose, occlusion))
        found = values > 0
        probability = np.where(found, hidden / np.where(found, joint, 1), 0.5)
        return probability.clip(0, 1).astype(np.float32)[None]

    def split(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Separate pose maps from occlusion maps.

        Args:
            maps: (2K, H, W), or (K, H, W) without occlusion.

        Returns:
            tuple[np.ndarray, np.ndarray | None]: (K, H, W) each; the latter None without occlusion.

        Raises:
            ValueError: The maps contain NaN, or their number is odd where half of them are of occlusion.
        """
        if np.isnan(maps).any():
            raise UsageError('OcclusionHeatmap: the heatmaps contain NaN, as those of a diverged training')
        if not self.with_occlusion:
            return maps, None
        if len(maps) % 2:
            raise ValueError(
                f'OcclusionHeatmap: {len(maps)} maps, allowed with with_occlusion=True: an even number, K pose and K '
                'occlusion maps'
            )
        half = len(maps) // 2
        return maps[:half], maps[half:]

    @property
    def _stride(self) -> float:
        """Input pixels per cell for lengths in any direction: the geometric mean of both axes."""
        return float(np.sqrt(np.prod(self.scale_factor, dtype=np.float64)))

    def _zoom(self, input_scale: np.ndarray | None) -> float:
        """Input pixels per image pixel."""
        return 1.0 if input_scale is None else self.input_size[0] / float(np.ravel(input_scale)[0])

    def _read_occlusion(self, occluded: np.ndarray | None, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K,) bool masks of the joints whose occlusion is known, and of those that are occluded."""
        if occluded is None:
            if self.require_occlusion:
                raise ValueError(
                    'OcclusionHeatmap: require_occlusion=True, and the sample has no keypoints_occluded: use a data '
                    'set that gives it, draw it with RandomOccluder, or set require_occlusion=False'
                )
            none = np.zeros(labelled.shape, bool)
            return none, none
        occluded, shape = np.asarray(occluded), (1, *labelled.shape)
        if occluded.shape != shape:
            raise ValueError(f'OcclusionHeatmap: keypoints_occluded has the shape {occluded.shape}, allowed: {shape}')
        occluded = occluded[0]
        if odd := sorted(set(occluded[labelled].tolist()) - {OCCLUDED, VISIBLE, UNKNOWN}):
            raise ValueError(
                f'OcclusionHeatmap: keypoints_occluded holds {odd[0]:g}, allowed: 1 (occluded), 0 (visible), -1 '
                '(unknown)'
            )
        known = labelled & (occluded != UNKNOWN)
        if self.require_occlusion and labelled.any() and not known.any():
            raise ValueError(
                'OcclusionHeatmap: require_occlusion=True, and keypoints_occluded of the sample is -1 (unknown) for '
                'each labelled joint'
            )
        return known, known & (occluded == OCCLUDED)

    def _read_absent(self, present: np.ndarray | None, labelled: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """(K,) bool mask of the joints that are known to lie outside the image or the map."""
        if not self.negatives:
            return np.zeros(labelled.shape, bool)
        shape = (1, *labelled.shape)
        if present is None:
            raise ValueError(
                'OcclusionHeatmap: negatives=True, and the sample has no keypoints_present: put RandomPersonCut into '
                'the pipeline, or set negatives=False'
            )
        present = np.asarray(present)
        if present.shape != shape or not np.isin(present, (0, 1, -1)).all():
            raise ValueError(
                f'OcclusionHeatmap: keypoints_present={present.tolist()}, allowed: 1, 0 or -1 in the shape {shape}'
            )
        return (present[0] == 0) | ((present[0] == 1) & labelled & ~inside)

    def _draw(self, cells: np.ndarray, labelled: np.ndarray, occluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps (2K or K, H, W), and (K,) bool mask of the Gaussians that reach into them."""
        copies = occluded if self.with_occlusion else None
        if self.decoding == 'dark':
            return fill_gaussians(self.heatmap_size, cells, labelled, self.sigma, copies)
        return draw_gaussians(self.heatmap_size, cells, labelled, self.sigma, copies, exact=self.decoding == 'udp')
