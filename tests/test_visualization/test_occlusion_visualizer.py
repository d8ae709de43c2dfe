"""The visualizer in mmpose's place: its own calls, and a real test run that saves images."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import VISUALIZERS
from mmpose.structures import PoseDataSample

from posestructs.visualization import OcclusionLocalVisualizer, draw_pose
from posestructs.visualization.heatmap_sheet import overlay
from tests.helpers import data_root, needs_data

META = dict(
    keypoint_colors=np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]]),
    skeleton_links=[(0, 1), (1, 2)],
    skeleton_link_colors=np.array([[255, 0, 0], [0, 0, 255]]),
)
POINTS = np.array([[[20.0, 20], [60, 20], [60, 60]]])
IMAGE = np.full((80, 90, 3), 128, np.uint8)


@pytest.fixture
def visualizer(request):
    init_default_scope('mmpose')
    built = VISUALIZERS.build(dict(type='OcclusionLocalVisualizer', name=request.node.name, radius=6))
    built.set_dataset_meta(META)
    return built


def sample(**kwargs):
    data = PoseDataSample()
    for name, occluded in kwargs.items():
        instances = InstanceData(keypoints=POINTS, keypoints_visible=np.ones((1, 3)))
        if occluded is not None:
            instances.keypoints_occluded = np.array([occluded])
        setattr(data, name, instances)
    return data


def expected(occluded):
    return draw_pose(IMAGE, POINTS, None, occluded, META, radius=6)


def test_truth_and_prediction_side_by_side(visualizer):
    data = sample(gt_instances=[1.0, 0, -1], pred_instances=[0.2, 0.9, 0.5])
    drawn = visualizer.add_datasample('a', IMAGE, data)
    np.testing.assert_array_equal(drawn[:, :90], expected([1, 0, -1]))
    np.testing.assert_array_equal(drawn[:, 90:], expected([0, 1, 1]))
    assert not np.array_equal(drawn[:, :90], expected([0, 0, 0]))
    assert (IMAGE == 128).all()


def test_absent_joints_are_left_out(visualizer):
    data = sample(pred_instances=None)
    data.pred_instances.keypoints_present = np.array([[0.9, 0.5, 0.4]])
    drawn = visualizer.add_datasample('a', IMAGE, data, draw_gt=False, kpt_thr=0)
    np.testing.assert_array_equal(drawn, draw_pose(IMAGE, POINTS, np.array([[1, 1, 0]]), None, META, radius=6))
    # the sample itself stays as it is
    assert data.pred_instances.keypoints_visible.tolist() == [[1, 1, 1]]


def test_without_labels_all_joints_are_visible(visualizer):
    drawn = visualizer.add_datasample('a', IMAGE, sample(gt_instances=None), draw_pred=False)
    np.testing.assert_array_equal(drawn, expected([0, 0, 0]))


def test_joints_in_the_crop_come_first(visualizer):
    data = sample(gt_instances=[1, 0, 0])
    data.gt_instances.transformed_keypoints = POINTS + 5
    drawn = visualizer.add_datasample('a', IMAGE, data, draw_pred=False)
    np.testing.assert_array_equal(drawn, draw_pose(IMAGE, POINTS + 5, None, [1, 0, 0], META, radius=6))


def test_mmposes_arguments(visualizer, tmp_path):
    low = sample(pred_instances=[0, 0, 0])
    low.pred_instances.keypoints_visible = np.array([[0.9, 0.2, 0.9]])
    np.testing.assert_array_equal(
        visualizer.add_datasample('a', IMAGE, low, draw_gt=False, kpt_thr=0.5, out_file=str(tmp_path / 'a.png')),
        draw_pose(IMAGE, POINTS, [1, 0, 1], None, META, radius=6),
    )
    assert cv2.imread(str(tmp_path / 'a.png')).shape == (80, 90, 3)
    visualizer.show_keypoint_weight = True
    faint = visualizer.add_datasample('a', IMAGE, low, draw_gt=False, kpt_thr=0)
    expected_faint = draw_pose(IMAGE, POINTS, metainfo=META, radius=6, opacity=np.array([0.9, 0.2, 0.9]))
    np.testing.assert_array_equal(faint, expected_faint)
    low.pred_instances.bboxes = np.array([[5.0, 5, 85, 75]])
    boxed = visualizer.add_datasample('a', IMAGE, low, draw_gt=False, draw_bbox=True)
    assert tuple(boxed[40, 5]) == (0, 128, 0) or tuple(boxed[40, 5]) == (0, 255, 0)


def test_sizes_set_later_are_drawn(request):
    """As mmpose's inferencers set radius and thickness."""
    visualizer = OcclusionLocalVisualizer(request.node.name)
    visualizer.set_dataset_meta(META)
    data = sample(gt_instances=[1, 0, 0])
    images = []
    for sizes in ({}, dict(radius=3), dict(radius=9), dict(radius=9, line_width=2)):
        for name, value in sizes.items():
            setattr(visualizer, name, value)
            assert getattr(visualizer, name) == value
        images.append(visualizer.add_datasample('a', IMAGE, data, draw_pred=False).copy())
        np.testing.assert_array_equal(images[-1], draw_pose(IMAGE, POINTS, None, [1, 0, 0], META, **sizes))
    assert len({p.tobytes() for p in images}) == 4
    visualizer.radius = visualizer.line_width = None  # automatic again
    np.testing.assert_array_equal(visualizer.add_datasample('a', IMAGE, data, draw_pred=False), images[0])
    assert (visualizer.radius, visualizer.line_width) == (3, 1)  # numbers, for boxes and the OpenPose style


def test_colours_by_name_as_in_mmpose(request):
    visualizer = OcclusionLocalVisualizer(
        request.node.name, kpt_color='red', link_color='blue', skeleton=[(0, 1)], radius=6
    )
    drawn = visualizer.add_datasample('a', IMAGE, sample(gt_instances=None), draw_pred=False)
    assert tuple(drawn[60, 60]) == (255, 0, 0) and tuple(drawn[20, 40]) == (0, 0, 255)


@pytest.mark.parametrize('key', ['occlusion', 'occlusion_heatmaps'])
def test_heatmaps_and_occlusion_maps_below(visualizer, key):
    data = sample(pred_instances=[0, 0, 0])
    pose, occlusion = np.random.default_rng(0).uniform(0, 0.5, (2, 3, 8, 9)).astype(np.float32)
    data.pred_fields = PixelData(**{'heatmaps': torch.from_numpy(pose), key: occlusion})
    drawn = visualizer.add_datasample('a', IMAGE, data, draw_gt=False, draw_heatmap=True)
    np.testing.assert_array_equal(drawn[:80], visualizer.add_datasample('a', IMAGE, data, draw_gt=False))
    top = pose.max()  # of both: a faint occlusion map looks faint
    rows = [overlay(IMAGE, pose.max(axis=0), top), overlay(IMAGE, occlusion.max(axis=0), top)]
    np.testing.assert_array_equal(drawn[80:], np.concatenate(rows))
    data.pred_fields = PixelData(heatmaps=pose)
    np.testing.assert_array_equal(
        visualizer.add_datasample('a', IMAGE, data, draw_gt=False, draw_heatmap=True), drawn[:160]
    )


def test_a_sample_without_persons(visualizer):
    data = PoseDataSample()
    data.pred_instances = InstanceData(keypoints=np.zeros((0, 3, 2)), keypoints_visible=np.zeros((0, 3)))
    assert (visualizer.add_datasample('a', IMAGE, data, draw_gt=False) == 128).all()


@needs_data
def test_a_test_run_saves_images(tmp_path):
    """As tools/test.py --show-dir: mmpose's hook with this visualizer on real persons."""
    codec = dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)
    pipeline = [
        dict(type='LoadVerifiedImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=(64, 64)),
        dict(type='PackPoseInputs'),
    ]
    backbone = dict(type='ResNet', depth=18)
    head = dict(
        type='HeatmapHead',
        in_channels=512,
        out_channels=14,
        deconv_out_channels=(16,) * 3,
        deconv_kernel_sizes=(4,) * 3,
        loss=dict(type='KeypointMSELoss'),
        decoder=codec,
    )
    config = dict(
        default_scope='mmpose',
        work_dir=str(tmp_path),
        experiment_name='show',
        model=dict(
            type='TopdownPoseEstimator',
            data_preprocessor=dict(type='PoseDataPreprocessor'),
            backbone=backbone,
            head=head,
            test_cfg=dict(output_heatmaps=True),
        ),
        test_dataloader=dict(
            batch_size=2,
            dataset=dict(
                type='LSPDataset',
                data_root=str(data_root() / 'lspet-mini'),
                ann_file='joints.mat',
                id_file='val.txt',
                indices=3,
                test_mode=True,
                pipeline=pipeline,
            ),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        test_cfg=dict(),
        test_evaluator=dict(type='PCKAccuracy', norm_item='bbox'),
        visualizer=dict(type='OcclusionLocalVisualizer', name='show_run'),
        default_hooks=dict(visualization=dict(type='PoseVisualizationHook', enable=True, out_dir='shown', kpt_thr=-1)),
        log_level='ERROR',
    )
    Runner.from_cfg(Config(config)).test()
    images = sorted(tmp_path.rglob('shown/**/*.jpg'))
    assert len(images) == 3
    originals = {p.stem.split('_')[0]: p for p in images}
    for stem, path in originals.items():
        original = cv2.imread(str(data_root() / 'lspet-mini' / 'images' / f'{stem}.jpg'))
        drawn = cv2.imread(str(path))
        assert drawn.shape[1] == original.shape[1] and drawn.shape[0] == 2 * original.shape[0]  # heat maps below
        assert (np.abs(drawn[: len(original)].astype(int) - original) > 40).any()


@pytest.mark.parametrize('key', ['radius', 'line_width', 'alpha'])
@pytest.mark.parametrize('value', [-1, float('nan'), 'thick', 1e6])
def test_sizes_that_cannot_be_drawn_are_refused(key, value, request):
    with pytest.raises(ValueError, match=f'^OcclusionLocalVisualizer.{key}={value!r}, allowed: '):
        OcclusionLocalVisualizer(name=request.node.name, **{key: value})


def test_sizes_set_later_are_checked(visualizer):
    with pytest.raises(ValueError, match='OcclusionLocalVisualizer.radius=0, allowed: a number above 0'):
        visualizer.radius = 0
    assert visualizer.radius == 6
