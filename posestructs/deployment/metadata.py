"""Describe a network as plain values for json, so that it can be used without mmpose.

The description is read by ``tools/deployment/onnx_pose``: input, crop, codec, joints, and how the maps of a mirrored
image are mirrored back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from torch import nn

from posestructs.apis.model_source import inference_pipeline
from posestructs.codecs import OcclusionHeatmap, PartScoreMap
from posestructs.utils.dataset_configs import step_name

VERSION = 1


def describe_network(model: nn.Module, cfg: Config) -> dict[str, Any]:
    """Describe a model whose network is exported.

    Args:
        model: Model of :func:`~posestructs.deployment.load_generator`.
        cfg: Its config, for the test pipeline.

    Returns:
        ``version``, ``joints`` (names), ``skeleton`` (pairs of indices), ``input`` (size, mean, std, channels),
        ``crop`` (padding, udp), ``codec`` and ``flip`` (test, channels, shift, logarithms); ``calibration`` where
        ``test_cfg`` of the model names one.

    Raises:
        ValueError: The head has no decoder, or the calibration is not one of this model.
    """
    codec = getattr(model.head, 'decoder', None)
    if codec is None:
        raise ValueError(f'model.head={type(model.head).__name__} has no decoder, which defines the size of the input')
    meta = model.dataset_meta
    joints = [meta['keypoint_id2name'][i] for i in range(meta['num_keypoints'])]
    found = dict(
        version=VERSION,
        joints=joints,
        skeleton=[[int(i) for i in link] for link in meta.get('skeleton_links', ())],
        input=dict(size=[int(side) for side in codec.input_size], **_normalisation(model.data_preprocessor)),
        crop=_crop(cfg),
        codec=describe_codec(codec),
        flip=_flip(model, codec, [int(i) for i in meta['flip_indices']]),
    )
    if getattr(model, 'calibration', None) is not None:
        model.check_calibration()
        fields = asdict(model.calibration)
        found['calibration'] = {key: value for key, value in fields.items() if key not in ('source', 'report')}
    return found


def describe_codec(codec: Any) -> dict[str, Any]:
    """Describe how maps are decoded.

    Args:
        codec: Codec of the head.

    Returns:
        ``type`` and ``decode``: 'plain', 'quarter', 'dark', 'udp', 'max_sum' or 'argmax', with the parameters of these;
        ``None`` for a codec that ``onnx_pose`` does not decode.
    """
    kind = type(codec).__name__
    if isinstance(codec, PartScoreMap):
        return dict(type=kind, **_parts(codec))
    with_occlusion = isinstance(codec, OcclusionHeatmap) and codec.with_occlusion
    plain = isinstance(codec, OcclusionHeatmap) and codec.decoding == 'plain'
    inner = codec.pose_codec if isinstance(codec, OcclusionHeatmap) else codec
    found = dict(type=kind, decode='plain' if plain else _heatmap_decoding(inner), occlusion=with_occlusion)
    if found['decode'] in ('dark', 'udp'):
        # the weights themselves, as OpenCV derives sigma from the size in its own way
        found['kernel'] = cv2.getGaussianKernel(inner.blur_kernel_size, 0)[:, 0].tolist()
    return found


def _heatmap_decoding(codec: Any) -> str | None:
    # not a subclass, which may decode differently
    if type(codec) is MSRAHeatmap:
        return 'dark' if codec.unbiased else 'quarter'
    if type(codec) is UDPHeatmap and codec.heatmap_type == 'gaussian':
        return 'udp'
    return None


def _parts(codec: PartScoreMap) -> dict[str, Any]:
    found = dict(
        decode=codec.decode_method,
        scores=codec.scores,
        refine=codec.refine,
        parts=list(codec.tree.names),
        parents=[int(k) for k in codec.tree.parents],
        joint_parts=[int(k) for k in codec.tree.joint_parts],
    )
    if codec.decode_method == 'max_sum':
        found['offsets'], found['weights'] = (table.tolist() for table in codec._anchors)
    return found


def _normalisation(preprocessor: nn.Module) -> dict[str, Any]:
    mean, std = [0.0] * 3, [1.0] * 3
    if getattr(preprocessor, '_enable_normalize', False):
        mean, std = (
            np.ravel(values.cpu().double()).round(4).tolist() for values in (preprocessor.mean, preprocessor.std)
        )
    # mmpose reads images as blue, green, red
    return dict(mean=mean, std=std, channels='RGB' if getattr(preprocessor, '_channel_conversion', False) else 'BGR')


def _crop(cfg: Config) -> dict[str, Any]:
    steps = {step_name(step): step for step in inference_pipeline(cfg) if isinstance(step, Mapping)}
    return dict(
        padding=float(steps.get('GetBBoxCenterScale', {}).get('padding', 1.25)),
        udp=bool(steps.get('TopdownAffine', {}).get('use_udp', False)),
    )


def _flip(model: nn.Module, codec: Any, indices: list[int]) -> dict[str, Any]:
    test = bool(model.test_cfg.get('flip_test', False))
    if isinstance(codec, PartScoreMap):
        return dict(test=test, channels=codec.flip_channels, shift=False, logarithms=True)
    if isinstance(codec, OcclusionHeatmap) and codec.with_occlusion:
        indices = [*indices, *(index + len(indices) for index in indices)]
    shift = bool(model.test_cfg.get('shift_heatmap', False))
    return dict(test=test, channels=indices, shift=shift, logarithms=False)
