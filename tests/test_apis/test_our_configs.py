"""Every shipped config gives an inferencer, mmpose's or ours, what it reads of it; models are tried elsewhere."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpose.registry import DATASETS

from posestructs.apis.model_source import joints_of
from tests.helpers import repo_root

CONFIGS = sorted(path for path in (repo_root() / 'configs').rglob('*.py') if '_base_' not in path.parts)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_an_inferencer_can_read_it(path):
    cfg = Config.fromfile(path)
    assert cfg.data_mode == 'topdown' and DATASETS.get(cfg.dataset_type) is not None
    meta = joints_of(cfg)
    head = cfg.model.head
    joints = head.get('out_channels') or len(meta['keypoint_id2name'])
    assert meta['num_keypoints'] == len(meta['flip_indices']) == joints
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    info = dict(img=image, img_path='a.jpg', bbox=np.float32([[5, 5, 60, 45]]), bbox_score=np.ones(1, np.float32))
    packed = Compose(cfg.test_dataloader.dataset.pipeline)({**info, **meta})
    width, height = head.decoder.input_size
    assert packed['inputs'].shape == (3, height, width)
    np.testing.assert_array_equal(packed['data_samples'].gt_instances.bboxes, info['bbox'])
    assert {'input_center', 'input_scale', 'ori_shape', 'flip_indices'} <= set(packed['data_samples'].metainfo)
