"""Description of the model in an exported file, through json."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS

from posestructs.deployment import build_generator
from posestructs.deployment.metadata import describe_codec, describe_network
from tests.helpers import repo_root

TINY = repo_root() / 'tests' / 'test_tools' / 'tiny_mpii-64x64.py'
META = dict(num_keypoints=3, keypoint_id2name={0: 'l', 1: 'r', 2: 'm'}, flip_indices=[1, 0, 2], skeleton_links=[(0, 2)])


def describe(**changes):
    cfg = Config.fromfile(str(TINY))
    cfg.merge_from_dict(changes)
    model = build_generator(cfg)
    model.dataset_meta = META
    return json.loads(json.dumps(describe_network(model, cfg)))


def test_input_window_and_mirror():
    codec = dict(type='OcclusionHeatmap', input_size=(64, 48), heatmap_size=(16, 12), sigma=1, decode='udp')
    pipeline = [dict(type='GetBBoxCenterScale', padding=1.5), dict(type='TopdownAffine', use_udp=True)]
    found = describe(
        model=dict(
            data_preprocessor=dict(mean=[1, 2, 3.5], std=[4, 5, 6], bgr_to_rgb=False),
            head=dict(_delete_=True, type='AdversarialHead', in_channels=64, out_channels=3, decoder=codec),
            test_cfg=dict(shift_heatmap=True),
        ),
        test_dataloader=dict(dataset=dict(pipeline=pipeline)),
    )
    assert found['joints'] == ['l', 'r', 'm'] and found['skeleton'] == [[0, 2]]
    assert found['input'] == dict(size=[64, 48], mean=[1, 2, 3.5], std=[4, 5, 6], channels='BGR')
    assert found['crop'] == dict(padding=1.5, udp=True)
    assert found['flip'] == dict(test=False, channels=[1, 0, 2, 4, 3, 5], shift=True, logarithms=False)
    assert found['codec']['decode'] == 'udp' and found['codec']['occlusion']
    # OpenCV's own blur of one bright cell
    spot = np.zeros((31, 31), np.float32)
    spot[15, 15] = 1
    line = cv2.GaussianBlur(spot, (11, 11), 0)[15, 10:21]
    np.testing.assert_allclose(np.array(found['codec']['kernel']) * found['codec']['kernel'][5], line, rtol=1e-5)


def test_parts_and_their_offsets():
    codec = KEYPOINT_CODECS.build(
        dict(
            type='PartScoreMap',
            input_size=(96, 64),
            heatmap_size=(12, 8),
            tree=dict(from_file='lsp-26.py'),
            deformation='lsp-26_13types.json',
            deformation_weight=0.05,
        )
    )
    found = json.loads(json.dumps(describe_codec(codec)))
    assert found['decode'] == 'max_sum' and found['parents'] == list(codec.tree.parents)
    assert np.shape(found['offsets']) == (26, 13, 2) and np.ptp(found['offsets']) > 1
    np.testing.assert_array_equal(found['offsets'], codec.deformation.to_cells((96, 64), (12, 8)))
    np.testing.assert_allclose(np.unique(found['weights']), [0.05], rtol=1e-6)


def test_a_head_without_a_decoder_is_refused():
    with pytest.raises(ValueError, match='model.head=HeatmapHead has no decoder'):
        describe(model=dict(head=dict(decoder=None)))
