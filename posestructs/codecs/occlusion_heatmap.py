"""Gaussian maps of joints and of occluded joints: the targets of Adversarial PoseNet (Chen et al., ICCV 2017).

Map k is a Gaussian at joint k. Map K + k is the same Gaussian where joint k is known to be occluded, empty where it is
known to be visible, and left out of the loss where it is not known which. A target of zeros for the last would teach
that the joint is visible.

**Probability of occlusion.** With E over what the image leaves open, the maps that minimise the squared error are
y_k(x) = E[g(x - p_k)] and z_k(x) = E[o_k g(x - p_k)], with p_k the joint, o_k = 1 where it is occluded and g the
Gaussian. z_k alone is low wherever the joint is hard to place, which occluded joints are; z_k(x) / y_k(x) is the
probability that the joint is occluded given that it is near x. That ratio, over the cells around the decoded joint, is
what :meth:`OcclusionHeatmap.decode_occlusion` gives.

Shapes: K joints, H x W cells; positions are (x, y), in input pixels or in cells, whose centres are whole numbers.
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
from posestructs.codecs.person_size import PersonSize

OCCLUDED, UNKNOWN = 1, -1
DECODERS = ('argmax_shift', 'dark', 'udp', 'plain')


@KEYPOINT_CODECS.register_module()
class OcclusionHeatmap(BaseKeypointCodec):
    """Encode joints as K pose maps and K occlusion maps, and decode maps to joints.

    ``decode`` chooses both directions, so that they fit:

    - ``'argmax_shift'``: Gaussians at whole cells; the maximum, moved a quarter cell to the higher neighbour. As
      ``MSRAHeatmap(unbiased=False)``.
    - ``'plain'``: the same Gaussians; the maximum alone.
    - ``'dark'``: Gaussians at the exact place; the maximum moved by DARK. As ``MSRAHeatmap(unbiased=True)``.
    - ``'udp'``: as ``UDPHeatmap``; use it with ``TopdownAffine(use_udp=True)``.

    Args:
        input_size: (w, h) of the input in pixels.
        heatmap_size: (W, H) in cells.
        sigma: Of the Gaussians, in cells. Unpublished; Newell et al. have 1.
        decode: See above.
        with_occlusion: Make and read the K occlusion maps.
        require_occlusion: Refuse a sample without occlusion labels; by default its occlusion maps weigh nothing.
        normalize: Reference length of a person: 'box', 'torso' or 'head'. See
            :class:`~posestructs.codecs.person_size.PersonSize`, also for the next two.
        pair: The two joints that span it.
        metainfo: Of the data set, to find joints by name.
        blur_kernel_size: Of DARK and UDP; 11 for a sigma of 2.

    Raises:
        ValueError: An argument is not possible; names it.
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
        normalize: str = 'box',
        pair: Sequence[int | str] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        blur_kernel_size: int = 11,
    ) -> None:
        super().__init__()
        _check(input_size, heatmap_size, sigma, decode, blur_kernel_size)
        if require_occlusion and not with_occlusion:
            raise ValueError('OcclusionHeatmap: require_occlusion=True has no use with with_occlusion=False')
        self.input_size, self.heatmap_size = tuple(input_size), tuple(heatmap_size)
        self.sigma, self.decoding = sigma, decode
        self.with_occlusion, self.require_occlusion = with_occlusion, require_occlusion
        shared = dict(input_size=self.input_size, heatmap_size=self.heatmap_size, sigma=sigma)
        if decode == 'udp':
            self.pose_codec = UDPHeatmap(blur_kernel_size=blur_kernel_size, **shared)
        else:
            self.pose_codec = MSRAHeatmap(unbiased=decode == 'dark', blur_kernel_size=blur_kernel_size, **shared)
        # pixels of the input per cell, (x, y)
        self.scale_factor = self.pose_codec.scale_factor
        self.person_size = PersonSize(normalize, pair, metainfo)
        # GenerateTarget takes these from the sample, None where one is absent
        self.auxiliary_encode_keys = {'keypoints_occluded', *self.person_size.keys}

    def keypoints_to_cells(self, keypoints: np.ndarray) -> np.ndarray:
        """(..., 2) input pixels to (..., 2) heatmap cells, float32."""
        return (np.asarray(keypoints)[..., :2] / self.scale_factor).astype(np.float32)

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: np.ndarray | None = None,
        keypoints_occluded: np.ndarray | None = None,
        bbox: np.ndarray | None = None,
        head_size: np.ndarray | None = None,
        input_scale: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Make the targets of one person.

        Args:
            keypoints: (1, K, 2) joints in input pixels.
            keypoints_visible: (1, K), which joints are labelled (their weight); by default all.
            keypoints_occluded: (1, K) 1 occluded, 0 visible, -1 not known; ``None`` for none known.
            bbox: (1, 4) of the person in image pixels, for ``normalize='box'``.
            head_size: (1,) in image pixels, for ``normalize='head'``.
            input_scale: (2,) width and height of the input's window in image pixels; by default the input's own size.

        Returns:
            dict[str, np.ndarray]: All float32: ``heatmaps`` (2K, H, W), pose maps first, or (K, H, W) without
            occlusion; ``keypoint_weights`` (1, K), 0 where a joint is not labelled or its Gaussian lies outside;
            ``occlusion_weights`` (1, K), 1 where in addition it is known whether the joint is occluded, else 0;
            ``keypoint_cells`` (1, K, 2) joints in cells; ``normaliser`` (1,) the person's size in cells, 0 where it is
            not known.

        Raises:
            ValueError: More than one person, labels that do not fit the joints, or none where they are required.
        """
        keypoints = np.asarray(keypoints)
        if keypoints.ndim != 3 or len(keypoints) != 1 or keypoints.shape[2] < 2:
            raise ValueError(f'OcclusionHeatmap: keypoints of one person (1, K, 2) expected, got {keypoints.shape}')
        shape = keypoints.shape[:2]
        weights = np.ones(shape, np.float32) if keypoints_visible is None else np.array(keypoints_visible, np.float32)
        if weights.shape != shape:
            raise ValueError(f'OcclusionHeatmap: keypoints_visible must be {shape}, got {weights.shape}')
        cells = self.keypoints_to_cells(keypoints)
        known, occluded = self._read_occlusion(keypoints_occluded, weights > 0)

        size = self.person_size(keypoints[0], weights[0] > 0, bbox, head_size, self._zoom(input_scale))
        maps, inside = self._draw(cells[0], weights[0] > 0, occluded[0])
        weights *= inside
        return dict(
            heatmaps=maps,
            keypoint_weights=weights,
            occlusion_weights=(known & (weights > 0)).astype(np.float32),
            keypoint_cells=cells,
            normaliser=np.array([size / self._stride], np.float32),
        )

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode the joints of one person.

        Args:
            encoded: (2K, H, W) maps as :meth:`encode` makes them, or (K, H, W) without occlusion.

        Returns:
            tuple[np.ndarray, np.ndarray]: (1, K, 2) joints in input pixels; (1, K) scores, the maxima of the pose maps.

        Raises:
            ValueError: The number of maps is odd where half of them are of occlusion.
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
            np.ndarray: (1, K) float32, 0 to 1; 0.5 where the pose map has no positive value, which says nothing.

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
        """Tell pose maps from occlusion maps.

        Args:
            maps: (2K, H, W), or (K, H, W) without occlusion.

        Returns:
            tuple[np.ndarray, np.ndarray | None]: (K, H, W) each; the latter ``None`` without occlusion.

        Raises:
            ValueError: The number of maps is odd where half of them are of occlusion.
        """
        if not self.with_occlusion:
            return maps, None
        if len(maps) % 2:
            raise ValueError(
                f'OcclusionHeatmap: with_occlusion=True reads as many occlusion maps as pose maps, got {len(maps)} maps'
            )
        half = len(maps) // 2
        return maps[:half], maps[half:]

    @property
    def _stride(self) -> float:
        """Input pixels per cell along a length of no direction: the geometric mean of both."""
        return float(np.sqrt(np.prod(self.scale_factor, dtype=np.float64)))

    def _zoom(self, input_scale: np.ndarray | None) -> float:
        """Input pixels per pixel of the image."""
        return 1.0 if input_scale is None else self.input_size[0] / float(np.ravel(input_scale)[0])

    def _read_occlusion(self, occluded: np.ndarray | None, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where it is known whether a joint is occluded, and where it is; both (1, K) bool."""
        if occluded is None:
            if self.require_occlusion:
                raise ValueError(
                    'OcclusionHeatmap: require_occlusion=True, and the sample has no keypoints_occluded: use a data '
                    'set that gives it, draw it with RandomOccluder, or set require_occlusion=False'
                )
            none = np.zeros(labelled.shape, bool)
            return none, none
        occluded = np.asarray(occluded)
        if occluded.shape != labelled.shape:
            raise ValueError(f'OcclusionHeatmap: keypoints_occluded must be {labelled.shape}, got {occluded.shape}')
        known = labelled & (occluded != UNKNOWN)
        if self.require_occlusion and labelled.any() and not known.any():
            raise ValueError(
                'OcclusionHeatmap: require_occlusion=True, and keypoints_occluded of the sample is -1 (not known) for '
                'each labelled joint'
            )
        return known, known & (occluded == OCCLUDED)

    def _draw(self, cells: np.ndarray, labelled: np.ndarray, occluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps (2K or K, H, W), and (K,) bool of Gaussians that reach into them."""
        copies = occluded if self.with_occlusion else None
        if self.decoding == 'dark':
            return fill_gaussians(self.heatmap_size, cells, labelled, self.sigma, copies)
        return draw_gaussians(self.heatmap_size, cells, labelled, self.sigma, copies, exact=self.decoding == 'udp')


def _check(
    input_size: Sequence[int], heatmap_size: Sequence[int], sigma: float, decode: str, blur_kernel_size: int
) -> None:
    for key, size in (('input_size', input_size), ('heatmap_size', heatmap_size)):
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'OcclusionHeatmap: {key}={size!r}, allowed: two positive numbers (width, height)')
    if not sigma > 0:
        raise ValueError(f'OcclusionHeatmap: sigma={sigma!r}, allowed: a number above 0')
    if decode not in DECODERS:
        raise ValueError(f'OcclusionHeatmap: decode={decode!r}, allowed: {DECODERS}')
    if blur_kernel_size < 1 or blur_kernel_size % 2 == 0:
        raise ValueError(f'OcclusionHeatmap: blur_kernel_size={blur_kernel_size!r}, allowed: an odd number')
