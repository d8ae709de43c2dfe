"""The whole model: numbers of channels, pyramid, training on synthetic figures, mmpose's metrics and inference."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample
from torch import nn

from posestructs.datasets import metainfo_file
from posestructs.models.heads import PartScoreHead
from posestructs.structures import Deformation, build_tree
from posestructs.structures.offset_clusters import fit_types

LSP = dict(from_file='lsp-26.py')
SIZES = dict(input_size=(64, 64), heatmap_size=(16, 16))


def model_cfg(estimator='StructuredPoseEstimator', part_channels=4, decoder=None, neck=None, head=None, **kwargs):
    """The first three stages of a thin ResNet-18 at stride 4, with eight channels per part and no messages."""
    codec = dict(dict(type='PartScoreMap', tree=LSP, **SIZES), **(decoder or {}))
    ones = (1, 1, 1)
    backbone = dict(
        type='ResNet', depth=18, base_channels=16, num_stages=3, out_indices=(2,), strides=ones, dilations=ones
    )
    necks = dict(type='TreeMessagePassing', in_channels=64, tree=LSP, part_channels=part_channels, direction='none')
    heads = dict(type='PartScoreHead', in_channels=26 * 2 * part_channels, decoder=codec, background='plain')
    return dict(
        type=estimator,
        data_preprocessor=dict(type='PoseDataPreprocessor', mean=[127.5] * 3, std=[64.0] * 3),
        backbone=backbone,
        neck=dict(necks, **(neck or {})),
        head=dict(heads, **(head or {})),
        **kwargs,
    )


# -- counts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(neck=dict(part_channels=8)),
            'neck: 26 parts, out_channels=416; head: 26 parts, in_channels=208; its decoder: 26 parts',
        ),
        (dict(neck=dict(out_joints=True)), 'neck: 26 parts, out_channels=112; head: 26 parts, in_channels=208'),
        (dict(neck=dict(tree=dict(from_file='flic-18.py'))), 'neck and head have different trees. neck: 18 parts'),
        (dict(head=dict(shared_channels=64)), 'neck.keep_input=False, allowed with head.shared_channels=64: True'),
        (
            dict(head=dict(shared_channels=32), neck=dict(keep_input=True)),
            'head.shared_channels=32, allowed: neck.in_channels=64',
        ),
        (
            dict(test_cfg=dict(pyramid_scales=[1, 0])),
            r'pyramid_scales\[1\]=0, allowed: a number from 0.01',
        ),
        (dict(test_cfg=dict(pyramid_scales=0.5)), 'test_cfg.pyramid_scales=0.5, allowed'),
        (dict(test_cfg=dict(flip_test=True, shift_heatmap=True)), 'test_cfg.shift_heatmap=True, allowed'),
    ],
)
def test_what_does_not_fit_is_found_when_built(changes, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(model_cfg(**changes))


def test_only_part_scores():
    cfg = model_cfg()
    cfg['head'] = dict(type='HeatmapHead', in_channels=208, out_channels=14, deconv_out_channels=None)
    with pytest.raises(TypeError, match='StructuredPoseEstimator.head=HeatmapHead, allowed: a PartScoreHead'):
        MODELS.build(cfg)


def test_the_shared_feature_reaches_the_background():
    model = MODELS.build(model_cfg(neck=dict(keep_input=True), head=dict(shared_channels=64))).eval()
    assert model.head.background_logit.weight.shape == (1, 64, 1, 1)
    image = torch.randn(1, 3, 64, 64)
    (shared,) = model.backbone(image)
    logits = model(image, None, mode='tensor')
    torch.testing.assert_close(logits[:, -1:], model.head.background_logit(shared))
    assert logits.shape == (1, 27, 16, 16)


def test_a_deformation_file_of_another_tree():
    message = "deformation='flic-18_13types.json' was fitted for another tree: it has 18 parts, this tree has 26"
    with pytest.raises(ValueError, match=message):
        MODELS.build(model_cfg(decoder=dict(deformation='flic-18_13types.json')))


@pytest.mark.parametrize('scores', ['probability', 'log_probability'])
def test_flip_test_makes_no_difference_between_an_image_and_its_mirror_image(scores):
    """For any weights, with the 13 types of LSP, of which those of head and neck are mirrored as well."""
    torch.manual_seed(0)
    decoder = dict(deformation='lsp-26_13types.json', scores=scores, deformation_weight=0.003)
    cfg = model_cfg(decoder=decoder, head=dict(num_types=13), test_cfg=dict(flip_test=True))
    model = MODELS.build(cfg).eval()
    nn.init.normal_(model.head.prediction.weight, std=2.0)
    image = torch.randn(2, 3, 64, 64)
    seen, mirrored = (
        [sample.pred_instances for sample in model.predict(x, samples_for(x))] for x in (image, image.flip(-1))
    )
    lsp = model.head.tree
    swap = [lsp.joints.index(lsp.names[lsp.mirror[part]]) for part in lsp.joint_parts]
    for ours, theirs in zip(seen, mirrored, strict=True):
        expected = ours.keypoints[:, swap] * (-1, 1) + (63, 0)
        np.testing.assert_allclose(theirs.keypoints, expected, atol=1e-3)
        np.testing.assert_allclose(theirs.keypoint_scores, ours.keypoint_scores[:, swap], rtol=1e-3, atol=1e-6)
        assert np.ptp(ours.keypoints, axis=1).min() > 4  # not all at one position


# -- the pyramid -------------------------------------------------------------------------------------------------------

DOTS = dict(names=['head', 'left', 'right'], parents=[-1, 'head', 'head'], mirror=[('left', 'right')])


@MODELS.register_module()
class DotDetector(nn.Module):
    """An untrained backbone: part k where channel k of the image is bright, at stride 4."""

    def forward(self, x):
        return (nn.functional.avg_pool2d(x, 4),)


def dot_model(**test_cfg):
    """Head above, hands 3 cells to the left and right and 3 below; log probabilities, a stiff tree."""
    tree = build_tree(DOTS)
    offsets = np.array([[[0.0, 0]], [[12 / 64, 12 / 64]], [[-12 / 64, 12 / 64]]])
    bend = Deformation(tree, offsets, np.full((3, 1, 2), 1e-3), np.zeros((3, 1), int), np.ones((3, 1)), 1.0)
    codec = dict(
        type='PartScoreMap', tree=DOTS, deformation=bend, scores='log_probability', deformation_weight=0.3, **SIZES
    )
    model = MODELS.build(
        dict(
            type='StructuredPoseEstimator',
            backbone=dict(type='DotDetector'),
            head=dict(type='PartScoreHead', in_channels=3, background='plain', decoder=codec),
            test_cfg=test_cfg,
        )
    ).eval()
    nn.init.ones_(model.head.prediction.weight)
    nn.init.zeros_(model.head.prediction.bias)
    nn.init.zeros_(model.head.background_logit.weight)
    nn.init.constant_(model.head.background_logit.bias, 5)
    return model


def dots(*points, radius=4):
    """(1, 3, 64, 64), channel k bright in a square around point k."""
    image = torch.zeros(1, 3, 64, 64)
    for k, (x, y) in enumerate(points):
        image[0, k, y - radius : y + radius, x - radius : x + radius] = 10
    return image


def samples_for(image):
    sample = PoseDataSample(gt_instances=InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1)))
    sample.set_metainfo(dict(input_size=(64, 64), input_scale=np.array([64.0, 64]), input_center=np.array([32.0, 32])))
    return [copy.deepcopy(sample) for _ in image]


def test_the_pyramid_keeps_the_size_that_fits_for_each_image():
    """A person of the size of the tree, and one twice as large, whose pose fits at half the size."""
    right, large = ((32, 24), (44, 36), (20, 36)), ((32, 16), (56, 40), (8, 40))
    image = torch.cat([dots(*right), dots(*large, radius=8)])
    model = dot_model(pyramid_scales=[1.0, 0.5])
    with torch.no_grad():
        levels = {
            s: [pred for pred, _ in model._predict_level(model._resize(image, s), samples_for(image))] for s in (1, 0.5)
        }
        found = model.predict(image, samples_for(image))
    for n, best in enumerate((1, 0.5)):
        scores = {s: float(preds[n].pose_scores[0]) for s, preds in levels.items()}
        assert max(scores, key=scores.get) == best
        assert float(found[n].pred_instances.pose_scores[0]) == scores[best]
    for sample, points in zip(found, (right, large), strict=True):
        assert np.abs(sample.pred_instances.keypoints[0] - points).max() <= 4.5  # half a cell of the smaller map
    # at one size only, the second person's hands are pulled towards those of the tree
    alone = dot_model().predict(image, samples_for(image))
    torch.testing.assert_close(alone[0].pred_instances.keypoints, found[0].pred_instances.keypoints)
    assert alone[1].pred_instances.pose_scores[0] < found[1].pred_instances.pose_scores[0]


def test_a_level_without_a_score_never_wins(monkeypatch):
    image = dots((32, 24), (44, 36), (20, 36))
    model = dot_model(pyramid_scales=[0.5, 1.0])
    whole = model.backbone.forward
    # a level on which half precision overflows
    broken = lambda x: (whole(x)[0] * (torch.nan if x.shape[-1] < 64 else 1),)  # noqa: E731
    monkeypatch.setattr(model.backbone, 'forward', broken)
    (found,) = model.predict(image, samples_for(image))
    (alone,) = dot_model().predict(image, samples_for(image))
    np.testing.assert_array_equal(found.pred_instances.keypoints, alone.pred_instances.keypoints)


def test_a_pyramid_without_any_score_is_refused(monkeypatch):
    image = dots((32, 24), (44, 36), (20, 36))
    model = dot_model(pyramid_scales=[0.5, 1.0])
    whole = model.backbone.forward
    monkeypatch.setattr(model.backbone, 'forward', lambda x: (whole(x)[0] * torch.nan,))
    with pytest.raises(ValueError, match='the score maps contain NaN'):
        model.predict(image, samples_for(image))


def test_the_pyramid_resizes_to_whole_cells():
    model = dot_model(pyramid_scales=[2 ** (-i / 10) for i in range(4)])
    sizes = [model._resize(dots((32, 24)), scale).shape[-1] for scale in model.pyramid_scales]
    assert sizes == [64, 60, 56, 52]
    assert model._resize(dots((32, 24)), 0.01).shape[-1] == 4


def test_a_pyramid_of_one_is_the_plain_estimator_flipped_and_with_maps():
    image = dots((32, 24), (44, 36), (20, 36))
    cfg = dict(flip_test=True, output_heatmaps=True)
    (plain,), (pyramid,) = (
        dot_model(**c).predict(image, samples_for(image)) for c in (cfg, dict(cfg, pyramid_scales=[1]))
    )
    for key in ('keypoints', 'keypoint_scores', 'pose_scores'):
        np.testing.assert_array_equal(getattr(plain.pred_instances, key), getattr(pyramid.pred_instances, key))
    torch.testing.assert_close(plain.pred_fields.heatmaps, pyramid.pred_fields.heatmaps)
    # the dots are symmetric, so that both images give the same result
    assert np.abs(plain.pred_instances.keypoints[0] - [(32, 24), (44, 36), (20, 36)]).max() < 2.1


# -- training ----------------------------------------------------------------------------------------------------------


def figures(num, **kwargs):
    pipeline = [
        dict(type='LoadVerifiedImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=SIZES['input_size']),
        *kwargs.pop('encoders', []),
        dict(type='PackPoseInputs'),
    ]
    return dict(type='StickFigureDataset', num_samples=num, image_size=64, cache=True, pipeline=pipeline, **kwargs)


@pytest.fixture(scope='module')
def few_types():
    """Three types per part, fitted to synthetic figures."""
    dataset = DATASETS.build(figures(100))
    tree = build_tree(LSP)
    joints, visible = [], []
    for i in range(100):
        info = dataset.get_data_info(i)
        box = info['bbox'][0]
        joints.append((info['keypoints'][0] - box[:2]) / max(box[2:] - box[:2]) * 0.8)
        visible.append(info['keypoints_visible'][0])
    positions, known = tree.part_positions(np.array(joints), np.array(visible))
    return fit_types(tree, positions, known, 3, aspect_ratio=1.0, restarts=1)


def test_it_learns_a_few_persons_by_heart(few_types, tmp_path):
    """mmengine's loop on four synthetic figures: the loss falls, and our metrics and mmpose's are high.

    Three types, max-sum and flip test; before training it is no better than chance.
    """
    few_types.save(tmp_path / 'types.json')
    decoder = dict(type='PartScoreMap', tree=LSP, deformation=str(tmp_path / 'types.json'), **SIZES)
    loaders = [
        dict(dataset=dataset, batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
        for dataset in (figures(4, encoders=[dict(type='GenerateTarget', encoder=decoder)]), figures(4, test_mode=True))
    ]
    cfg = model_cfg('TopdownPoseEstimator', decoder=decoder, head=dict(num_types=3), test_cfg=dict(flip_test=False))
    torch.manual_seed(0)
    runner = Runner(
        model=cfg,
        work_dir=str(tmp_path),
        train_dataloader=loaders[0],
        val_dataloader=loaders[1],
        train_cfg=dict(by_epoch=True, max_epochs=60, val_interval=1000),
        val_cfg=dict(),
        val_evaluator=[
            dict(type='TorsoPCK'),
            dict(type='StrictPCP'),
            dict(type='PDJ'),
            dict(type='PCKAccuracy', norm_item='bbox', thr=0.1),
        ],
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1), checkpoint=None),
        default_scope='mmpose',
        experiment_name='by-heart',
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    before = runner.val_loop.run()
    runner.train()
    history = runner.message_hub.get_scalar('train/loss_parts').data[0]
    assert history[-5:].mean() < 0.3 * history[:3].mean()
    assert runner.message_hub.get_scalar('train/acc_pose').data[0][-1] > 0.6
    after = runner.val_loop.run()
    for key, least in (('TorsoPCK@0.2', 55), ('StrictPCP@0.5', 50), ('PDJ@0.2', 55), ('PCK', 0.7)):
        assert after[key] > least > 3 * before[key], key


def test_mmpose_s_inference_takes_the_model(tmp_path):
    """init_model and inference_topdown with a config and an image."""
    config = Config(
        dict(
            default_scope='mmpose',
            model=model_cfg(test_cfg=dict(flip_test=True, output_heatmaps=True, pyramid_scales=[1, 0.75])),
            train_dataloader=dict(dataset=figures(4, metainfo=dict(from_file=metainfo_file('lsp')))),
            test_dataloader=dict(dataset=figures(4, test_mode=True)),
        )
    )
    model = init_model(config, device='cpu')
    assert isinstance(model.head, PartScoreHead)
    image = DATASETS.build(figures(1)).get_data_info(0)['img']
    (found,) = inference_topdown(model, image)
    points = found.pred_instances.keypoints
    assert points.shape == (1, 14, 2)
    assert found.pred_instances.keypoint_scores.shape == (1, 14)
    assert 0 <= found.pred_instances.keypoint_scores.min() <= found.pred_instances.keypoint_scores.max() <= 1
    assert found.pred_fields.heatmaps.shape[0] == 14
    assert points.min() >= -10 and points.max() <= 74


def test_a_batch_runs_through_the_plain_estimator_too():
    model = MODELS.build(model_cfg('TopdownPoseEstimator')).eval()
    dataset = DATASETS.build(figures(3, test_mode=True))
    ours = MODELS.build(model_cfg()).eval()
    ours.load_state_dict(model.state_dict())
    batch = pseudo_collate([dataset[i] for i in range(3)])
    with torch.no_grad():
        theirs, found = (m.test_step(copy.deepcopy(batch)) for m in (model, ours))
    for a, b in zip(theirs, found, strict=True):
        np.testing.assert_array_equal(a.pred_instances.keypoints, b.pred_instances.keypoints)
