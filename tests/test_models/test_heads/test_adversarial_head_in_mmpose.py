"""The supervised generator as a plain mmpose model: pipeline, training steps, prediction, init_model, get_flops."""

from copy import deepcopy

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import DATASETS, MODELS

CODEC = dict(type='OcclusionHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)
MODEL = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', mean=[127.5] * 3, std=[64.0] * 3, bgr_to_rgb=True),
    backbone=dict(type='StackedPoseGenerator', num_stacks=2, channels=16, depth=1),
    head=dict(type='AdversarialHead', in_channels=16, out_channels=14, num_stacks=2, decoder=CODEC),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False),
)
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='TopdownAffine', input_size=(64, 64)),
    dict(type='GenerateTarget', encoder=CODEC),
    dict(type='PackPoseInputs'),
]
DATA = dict(type='StickFigureDataset', num_samples=8, image_size=64, pipeline=PIPELINE)


def batch():
    np.random.seed(0)  # flips
    data = DATASETS.build(DATA)
    return pseudo_collate([data[number] for number in range(8)])


def test_training_and_prediction():
    torch.manual_seed(0)
    model = MODELS.build(deepcopy(MODEL))
    model.init_weights()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=3e-3))
    data = batch()
    logs = [{k: v.detach() for k, v in model.train_step(data, optimizer).items()} for _ in range(60)]
    assert set(logs[0]) == {'loss', 'loss_kpt', 'loss_occlusion', 'acc_pose'}
    for key in ('loss_kpt', 'loss_occlusion'):
        assert logs[-1][key] < 0.6 * logs[0][key], key
    torch.testing.assert_close(logs[0]['loss'], logs[0]['loss_kpt'] + logs[0]['loss_occlusion'])

    model.eval()
    model.test_cfg.update(flip_test=False)
    probability, occluded = [], []
    for sample in model.test_step(data):
        found, known = sample.pred_instances, sample.gt_instance_labels.occlusion_weights.numpy() > 0
        assert found.keypoints.shape == (1, 14, 2) and found.keypoints_occluded.shape == (1, 14)
        probability.append(found.keypoints_occluded[known])
        occluded.append(sample.gt_instances.keypoints_occluded[known] == 1)
    probability, occluded = np.concatenate(probability), np.concatenate(occluded)
    assert probability.min() >= 0 and probability.max() <= 1
    assert probability[occluded].mean() > 0.3 + probability[~occluded].mean()

    model.test_cfg.update(flip_test=True)
    model.test_cfg.update(output_keypoint_indices=[3, 1, 2], output_heatmaps=True)
    for sample, whole in zip(model.test_step(data), model.head.predict(*features(model, data)), strict=True):
        # the selected joints, in all fields
        np.testing.assert_array_equal(sample.pred_instances.keypoints_occluded, whole.keypoints_occluded[:, [3, 1, 2]])
        assert sample.pred_fields.heatmaps.shape == sample.pred_fields.occlusion_heatmaps.shape == (3, 16, 16)


def features(model, data):
    data = model.data_preprocessor(data)
    with torch.no_grad():
        feats = [model.extract_feat(data['inputs']), model.extract_feat(data['inputs'].flip(-1))]
    return feats, data['data_samples'], dict(model.test_cfg, output_heatmaps=False)


def test_init_model_and_inference(tmp_path):
    """A saved config and checkpoint through mmpose's own API."""
    model = MODELS.build(deepcopy(MODEL))
    model.init_weights()
    names = {key: DATASETS.build(DATA).metainfo[key] for key in ('dataset_name', 'keypoint_id2name')}
    meta = dict(dataset_meta=dict(names, flip_indices=list(range(14))))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'model.pth')
    steps = [PIPELINE[0], PIPELINE[1], PIPELINE[3], PIPELINE[5]]
    data = dict(dataset=dict(DATA, pipeline=steps))
    config = Config(dict(model=deepcopy(MODEL), test_dataloader=data, val_dataloader=data, default_scope='mmpose'))
    loaded = init_model(config, str(tmp_path / 'model.pth'), device='cpu')
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), model.state_dict().values(), strict=True)
    )
    image = np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    (sample,) = inference_topdown(loaded, str(tmp_path / 'image.png'), np.array([[5, 5, 60, 80]]))
    assert sample.pred_instances.keypoints.shape == (1, 14, 2)
    assert sample.pred_instances.keypoints_occluded.shape == (1, 14)


def test_flops_are_counted():
    """mmengine's counter, which get_flops uses, traces the model; the work is that of the convolutions."""
    from mmengine.analysis import get_model_complexity_info

    model = MODELS.build(deepcopy(MODEL)).eval()
    model.forward = model._forward
    found = get_model_complexity_info(model, (3, 64, 64), show_table=False, show_arch=False)
    work = []

    def count(conv, inputs, out):
        work.append(out[0].numel() * conv.weight[0].numel())

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    model.forward(torch.zeros(1, 3, 64, 64))
    # normalisation and pooling come on top
    assert sum(work) < found['flops'] < 1.2 * sum(work)
