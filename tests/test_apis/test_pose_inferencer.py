"""The inferencer beside mmpose's own functions, on files of every kind, and on what it must refuse."""

import json
import re
import shutil

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.apis import MMPoseInferencer, inference_topdown
from mmpose.apis.inferencers import base_mmpose_inferencer

from posestructs.apis import PoseInferencer
from posestructs.visualization import draw_pose
from tests.helpers import data_root, needs_data, repo_root

BOXES = np.array([[5.0, 10, 50, 70], [-20, 0, 40, 200], [30, 30, 90, 60]], dtype=np.float32)
PERSON_KEYS = {'keypoints', 'keypoint_scores', 'keypoints_occluded', 'bbox', 'bbox_score', 'keypoint_names'}


def persons_of(results):
    return [result['predictions'][0] for result in results]


def assert_same(persons, expected):
    assert len(persons) == len(expected)
    for one, other in zip(persons, expected, strict=True):
        for key in ('keypoints', 'keypoint_scores'):
            np.testing.assert_allclose(one[key], other[key], atol=1e-3)


def test_persons_in_boxes_are_those_of_mmpose(inferencer, images):
    (result,) = inferencer(images[0], bboxes=BOXES)
    expected = inference_topdown(inferencer.model, images[0], BOXES)
    persons = result['predictions'][0]
    assert set(persons[0]) == PERSON_KEYS
    assert persons[0]['keypoint_names'][:2] == ['right_ankle', 'right_knee'] and len(persons[0]['keypoint_names']) == 14
    assert len({tuple(person['keypoints'][0]) for person in persons}) == 3
    for person, sample, box in zip(persons, expected, BOXES, strict=True):
        found = sample.pred_instances
        np.testing.assert_allclose(person['keypoints'], found.keypoints[0], atol=1e-3)
        np.testing.assert_allclose(person['keypoint_scores'], found.keypoint_scores[0], atol=1e-5)
        np.testing.assert_allclose(person['keypoints_occluded'], found.keypoints_occluded[0], atol=1e-5)
        np.testing.assert_array_equal(person['bbox'], [box])
        assert person['bbox_score'] == 1
    assert result['visualization'] == [None] and 'maps' not in result


def test_batches_over_images_change_nothing(inferencer, images):
    boxes = [BOXES, None, np.zeros((0, 4))]
    alone = [next(inferencer(image, bboxes=[box])) for image, box in zip(images, boxes, strict=True)]
    assert [len(persons) for persons in persons_of(alone)] == [3, 1, 0]
    assert persons_of(inferencer(images[0], bboxes=[])) == [[]]
    sizes = []
    run = inferencer.model.test_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inferencer.model, 'test_step', lambda data: sizes.append(len(data['inputs'])) or run(data))
        for batch_size in (1, 2, 8):
            together = list(inferencer(images, bboxes=boxes, batch_size=batch_size))
            for one, other in zip(persons_of(together), persons_of(alone), strict=True):
                assert_same(one, other)
    assert sizes == [1, 1, 1, 1, 2, 1, 1, 4]


def test_boxes_of_all_images_and_by_name(inferencer, images, tmp_path):
    for name, image in zip('ab', images, strict=False):
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    everywhere = persons_of(inferencer(str(tmp_path), bboxes=BOXES[:2]))
    assert [len(persons) for persons in everywhere] == [2, 2]
    by_name = persons_of(inferencer(str(tmp_path), bboxes={'b.png': BOXES[:2]}))
    assert [len(persons) for persons in by_name] == [1, 2]
    assert_same(by_name[1], everywhere[1])
    assert by_name[0][0]['bbox'] == ([0, 0, 80, 96],)


@pytest.mark.parametrize('method', ['apn', 'sfl'])
def test_mmposes_inferencer_runs_our_configs_alike(method, images, tmp_path, request):
    """The same call, the same keys, the same joints; ours tells more."""
    files = request.getfixturevalue(method)
    for i, image in enumerate(images[:2]):
        cv2.imwrite(str(tmp_path / f'{i}.png'), image)
    call = dict(inputs=str(tmp_path), return_vis=True, kpt_thr=0, radius=4, thickness=2)
    theirs = list(MMPoseInferencer(str(files.config), str(files.checkpoint), device='cpu')(**call))
    ours = list(PoseInferencer(files.config, files.checkpoint, device='cpu')(**call))
    for mine, other in zip(ours, theirs, strict=True):
        assert set(mine) == set(other) == {'predictions', 'visualization'}
        assert_same(mine['predictions'][0], other['predictions'][0])
        (person,), (known,) = mine['predictions'][0], other['predictions'][0]
        assert set(known) < set(person) and person['bbox'] == known['bbox']
        assert mine['visualization'][0].shape == other['visualization'][0].shape
    assert ('keypoints_occluded' in person) == (method == 'apn') and ('pose_score' in person) == (method == 'sfl')


def test_occluders_of_a_test_pipeline_stay_off_the_users_image(images):
    """The pipeline that mmpose's inferencer reads pastes occluders on the test set's persons."""
    config = repo_root() / 'configs/adversarial_posenet/apn_2x56_lspet-mini-128x128.py'
    assert 'RandomOccluder' in str(Config.fromfile(config).test_dataloader.dataset.pipeline)
    inferencer = PoseInferencer(config, device='cpu')
    assert inferencer.visualizer is not None
    seen = []
    run = inferencer.model.test_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inferencer.model, 'test_step', lambda data: seen.append(data['inputs'][0]) or run(data))
        list(inferencer(images[2]))
    size = 128 / 1.25  # of the image in the crop, by the padding of GetBBoxCenterScale
    inside = np.s_[:, 20:-20, 20:-20]
    expected = cv2.warpAffine(images[2], np.array([[size / 64, 0, 12.8], [0, size / 64, 12.8]]), (128, 128))
    np.testing.assert_allclose(seen[0].permute(1, 2, 0).numpy()[inside], expected[inside], atol=25)


def test_pictures_are_drawn_with_rings_and_colours_of_the_data_set(inferencer, images):
    (result,) = inferencer(images[0], bboxes=BOXES, return_vis=True, kpt_thr=0)
    persons = result['predictions'][0]
    fields = ('keypoints', 'keypoint_scores', 'keypoints_occluded')
    points, scores, occluded = (np.array([person[key] for person in persons], np.float32) for key in fields)
    assert (occluded >= 0.5).any() and (occluded < 0.5).any()
    meta = inferencer.model.dataset_meta
    shown = result['visualization'][0].astype(int)
    alpha = inferencer.visualizer.alpha
    expected = draw_pose(mmcv.bgr2rgb(images[0]), points, scores, occluded, meta, threshold=0, opacity=alpha)
    np.testing.assert_array_equal(shown, expected)
    colors = {name: tuple(meta['keypoint_colors'][i]) for i, name in meta['keypoint_id2name'].items()}
    assert colors['left_knee'] == colors['left_wrist'] != colors['right_knee'] == colors['right_wrist']


@pytest.mark.parametrize('method', ['apn', 'sfl'])
def test_maps_lie_where_the_joints_are(method, images, request):
    files = request.getfixturevalue(method)
    inferencer = PoseInferencer(files.config, files.checkpoint, device='cpu')
    large = cv2.resize(images[0], (800, 960))
    box = np.array([[200.0, 100, 700, 900]])
    (result,) = inferencer(large, bboxes=box, return_maps=True)
    maps, (person,) = result['maps'], result['predictions'][0]
    assert maps['heatmaps'].shape == (14, 256, 213)
    assert ('occlusion' in maps) == (method == 'apn')
    assert maps.get('part_scores', maps['heatmaps']).shape[0] == (14 if method == 'apn' else 26 + 1)
    cells = np.array([np.unravel_index(m.argmax(), m.shape)[::-1] for m in maps['heatmaps']])
    pixels = cells * np.array([800 / 213, 960 / 256])
    inside = ((np.array(person['keypoints']) > 0) & (np.array(person['keypoints']) < [800, 960])).all(axis=1)
    assert inside.sum() >= 4
    cell = 1.25 * 800 / 16  # the box's longer side, padded, has 16 cells
    if method == 'apn':  # joints of sfl come from max-sum over the tree, not from the maps' maxima
        np.testing.assert_allclose(pixels[inside], np.array(person['keypoints'])[inside], atol=cell / 2)
    scores = maps['heatmaps'].max(axis=(1, 2))
    if method == 'apn':
        np.testing.assert_allclose(scores[inside], np.array(person['keypoint_scores'])[inside], rtol=0.1)
    assert inferencer.model.test_cfg.get('output_heatmaps') is None  # as it was


def test_files_of_a_folder_with_a_bad_image(inferencer, images, tmp_path):
    folder, out = tmp_path / 'in', tmp_path / 'out'
    folder.mkdir()
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / f'{i}.png'), image)
    whole = (folder / '1.png').read_bytes()
    (folder / '1.png').write_bytes(whole[: len(whole) // 2])
    (folder / 'notes.txt').write_text('no image')
    results = list(inferencer(folder, out_dir=out, draw_bbox=True))
    assert [len(persons) for persons in persons_of(results)] == [1, 0, 1]
    assert 'error' not in results[0] and 'truncated PNG' in results[1]['error'] and '1.png' in results[1]['error']
    for i in (0, 2):
        assert json.loads((out / f'predictions/{i}.json').read_text()) == json.loads(
            json.dumps(results[i]['predictions'][0])
        )
        assert cv2.imread(str(out / f'visualizations/{i}.png')).shape == images[i].shape
    assert len(list(out.rglob('*.*'))) == 4


def test_results_of_images_that_cannot_be_used(inferencer, images):
    """They have the form of the others."""
    call = dict(inputs=[images[0], 'rtsp://x/y', images[1][..., 0]], return_maps=True, return_vis=True)
    for datasamples in (False, True):
        good, *bad = inferencer(return_datasamples=datasamples, **call)
        for result in bad:
            assert set(result) == {*good, 'error'} and result['maps'] == {} and result['visualization'] == [None]
            (persons,) = result['predictions']
            assert type(persons) is type(good['predictions'][0])
            assert (persons.pred_instances.keypoints.shape == (0, 14, 2)) if datasamples else persons == []
        assert 'rtsp://x/y is not an address' in bad[0]['error']
    refuse('ftp://x/y is not an address of a readable image, allowed: http://', inferencer, 'ftp://x/y')
    refuse('rtsp://127.0.0.1:9/y: the stream cannot be opened', inferencer, 'rtsp://127.0.0.1:9/y')


def test_pictures_of_the_user_stay(inferencer, images, tmp_path):
    path = tmp_path / 'in/a.png'
    path.parent.mkdir()
    cv2.imwrite(str(path), images[2])
    content = path.read_bytes()
    for call in (dict(inputs=path.parent), dict(inputs=[path]), dict(inputs=str(path))):
        with pytest.raises(ValueError, match='in/a.png would be overwritten'):
            inferencer(**call, vis_out_dir=str(path.parent))  # before the first result is asked for
    refuse('in/a.png would be overwritten', inferencer, iter([path]), vis_out_dir=str(path.parent))
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_images_of_one_name_do_not_overwrite_each_other(inferencer, images, tmp_path):
    paths = []
    for folder in 'ab':
        (tmp_path / folder).mkdir()
        paths.append(str(tmp_path / folder / 'same.png'))
        cv2.imwrite(paths[-1], images[2])
    list(inferencer(paths, out_dir=tmp_path / 'out'))
    names = sorted(path.name for path in (tmp_path / 'out').rglob('*.*'))
    assert names == ['same.json', 'same.png', 'same_1.json', 'same_1.png']


def make_video(path, frames=5, size=(64, 48), fps=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, size)
    for i in range(frames):
        frame = np.full((size[1], size[0], 3), 40, np.uint8)
        cv2.circle(frame, (10 + 8 * i, 24), 8, (0, 0, 255), -1)
        writer.write(frame)
    writer.release()
    return path


def read_frames(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def test_a_video_becomes_a_video(inferencer, tmp_path):
    video = make_video(tmp_path / 'walk.mp4')
    frames, _ = read_frames(video)
    results = persons_of(inferencer(str(video), out_dir=tmp_path / 'out', batch_size=2, kpt_thr=0))
    assert len(results) == len(frames) == 5
    assert_same(results[3], persons_of(inferencer(frames[3]))[0])
    drawn, fps = read_frames(tmp_path / 'out/visualizations/walk.mp4')
    assert len(drawn) == 5 and fps == 10 and drawn[0].shape == (48, 64, 3)
    (expected,) = next(inferencer(frames[3], return_vis=True, kpt_thr=0))['visualization']
    assert np.abs(drawn[3].astype(int) - expected[..., ::-1]).mean() < 12  # lossy
    written = json.loads((tmp_path / 'out/predictions/walk.json').read_text())
    assert [row['frame_id'] for row in written] == [0, 1, 2, 3, 4]
    assert_same(written[3]['instances'], results[3])
    assert len(list((tmp_path / 'out').rglob('*.*'))) == 2  # nothing half-done is left


def test_every_frame_keeps_its_place_and_form(inferencer, tmp_path):
    """One without persons, and one that is left out, among frames with heatmaps below."""
    frames, _ = read_frames(make_video(tmp_path / 'walk.mp4', frames=4))
    boxes = [[], [[0, 0, 60, 40]], [[64, 0, 80, 9]], [[0, 0, 60, 40]]]
    call = dict(bboxes=boxes, draw_heatmap=True, kpt_thr=0, return_vis=True)
    results = list(inferencer(str(tmp_path / 'walk.mp4'), out_dir=tmp_path / 'out', **call))
    assert [len(persons) for persons in persons_of(results)] == [0, 1, 0, 1]
    assert [('error' in result, result['visualization'][0] is None) for result in results] == [
        (False, False),
        (False, False),
        (True, True),
        (False, False),
    ]
    written = json.loads((tmp_path / 'out/predictions/walk.json').read_text())
    assert [(row['frame_id'], len(row['instances'])) for row in written] == [(0, 0), (1, 1), (2, 0), (3, 1)]
    drawn, _ = read_frames(tmp_path / 'out/visualizations/walk.mp4')
    assert [drawing.shape for drawing in drawn] == [(3 * 48, 64, 3)] * 4  # heatmaps, occlusion maps
    for i, expected in ((0, frames[0]), (2, frames[2])):
        assert np.abs(drawn[i][:48].astype(int) - expected).mean() < 6
    for i in (1, 3):
        assert np.abs(drawn[i].astype(int) - results[i]['visualization'][0][..., ::-1]).mean() < 12


def test_what_was_done_of_a_video_is_kept(inferencer, tmp_path):
    results = inferencer(str(make_video(tmp_path / 'walk.mp4')), out_dir=tmp_path / 'out', batch_size=1)
    next(results)
    next(results)
    results.close()  # what an interrupt does
    assert len(read_frames(tmp_path / 'out/visualizations/walk.mp4')[0]) == 2
    assert len(json.loads((tmp_path / 'out/predictions/walk.json').read_text())) == 2


def test_two_persons_of_the_same_joints_are_one(inferencer, images):
    twice = np.concatenate([BOXES[:1], BOXES[:1]])
    (both,), (one,) = (persons_of(inferencer(images[0], bboxes=twice, pose_based_nms=p)) for p in (False, True))
    assert (len(both), len(one)) == (2, 1)


def test_data_samples_as_mmpose_gives_them(inferencer, images):
    (sample,) = next(inferencer(images[0], bboxes=BOXES, return_datasamples=True))['predictions']
    assert sample.pred_instances.keypoints.shape == (3, 14, 2)
    assert sample.pred_instances.keypoints_occluded.shape == (3, 14)


def test_a_model_of_mmpose(images):
    """No config of ours, and a visualizer that knows no occlusion."""
    config = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'
    inferencer = PoseInferencer(config, device='cpu')
    (result,) = inferencer(images[0], return_vis=True, return_maps=True, kpt_thr=0, draw_heatmap=True)
    assert len(result['predictions'][0][0]['keypoints']) == 17
    assert 'keypoints_occluded' not in result['predictions'][0][0]
    assert result['maps']['heatmaps'].shape == (17, 96, 80)
    assert result['visualization'][0].shape == (2 * 96, 80, 3)


# ------------------------------------------------------------------------------------------------ detector


class DetectorOfTwo:
    """Stands for mmdet's ``DetInferencer``, which this Python has not got: two persons, a faint one and a dog."""

    made = []

    def __init__(self, model, weights, device, scope, show_progress=False):
        self.made.append((model, weights, scope))

    def __call__(self, image, return_datasamples):
        boxes = torch.tensor([[5.0, 10, 50, 70], [30, 30, 60, 90], [0, 0, 9, 9], [6, 11, 50, 70], [1, 2, 30, 40]])
        scores, labels = torch.tensor([0.9, 0.8, 0.2, 0.7, 0.9]), torch.tensor([0, 0, 0, 0, 16])
        found = type('Sample', (), {})()
        found.pred_instances = InstanceData(bboxes=boxes, scores=scores, labels=labels)
        return dict(predictions=[found])


@pytest.fixture
def with_mmdet(monkeypatch):
    monkeypatch.setattr(base_mmpose_inferencer, 'has_mmdet', True)
    monkeypatch.setattr(base_mmpose_inferencer, 'DetInferencer', DetectorOfTwo, raising=False)
    # mmpose's config of it builds on one of mmdet's
    default = dict(model='rtmdet-m', weights='rtmdet.pth', cat_ids=(0,))
    monkeypatch.setitem(base_mmpose_inferencer.default_det_models, 'human', default)
    DetectorOfTwo.made.clear()


def test_a_detector_where_there_is_one(apn, images, with_mmdet):
    inferencer = PoseInferencer(*apn, device='cpu')
    assert [len(p) for p in persons_of(inferencer(images[0], bboxes=BOXES))] == [3]
    assert not DetectorOfTwo.made  # it is not fetched for given boxes
    (persons,) = persons_of(inferencer(images[0]))
    np.testing.assert_allclose([p['bbox'][0] for p in persons], [[5, 10, 50, 70], [30, 30, 60, 90]])
    np.testing.assert_allclose([p['bbox_score'] for p in persons], [0.9, 0.8])
    assert DetectorOfTwo.made == [('rtmdet-m', 'rtmdet.pth', 'mmdet')]
    (persons,) = persons_of(inferencer(images[0], bbox_thr=0.85))
    assert len(persons) == 1
    whole = PoseInferencer(*apn, device='cpu', det_model='whole_image')
    assert persons_of(whole(images[0]))[0][0]['bbox'] == ([0, 0, 80, 96],)


def test_the_detector_is_one_for_what_the_data_shows(with_mmdet, monkeypatch, apn, images):
    default = dict(model='rtmdet-hand', weights='hand.pth', cat_ids=(16,))
    monkeypatch.setitem(base_mmpose_inferencer.default_det_models, 'hand', default)
    cfg = Config.fromfile(apn.config)
    cfg.dataset_type = 'OneHand10KDataset'
    (hands,) = persons_of(PoseInferencer(cfg, apn.checkpoint, device='cpu')(images[0]))
    assert DetectorOfTwo.made == [('rtmdet-hand', 'hand.pth', 'mmdet')]
    np.testing.assert_allclose([hand['bbox'][0] for hand in hands], [[1, 2, 30, 40]])


def test_a_detector_without_mmdet_is_refused(apn):
    if base_mmpose_inferencer.has_mmdet:
        pytest.skip('mmdet is here')
    with pytest.raises(ValueError, match="det_model='rtmdet-m' needs mmdet"):
        PoseInferencer(*apn, device='cpu', det_model='rtmdet-m')


def test_a_hint_where_there_are_no_boxes_and_no_detector(apn, images, caplog):
    if base_mmpose_inferencer.has_mmdet:
        pytest.skip('mmdet is here')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        inferencer = PoseInferencer(*apn, device='cpu')
        for call in (dict(bboxes=BOXES), {}, {}):
            list(inferencer(images[0], **call))
        list(PoseInferencer(*apn, device='cpu', det_model='whole_image')(images[0]))
    finally:
        logger.removeHandler(caplog.handler)
    hints = [r.getMessage() for r in caplog.records if 'each image is taken as one person' in r.getMessage()]
    assert len(hints) == 1 and 'bboxes, --bbox' in hints[0]


def test_flip_test_as_in_the_config_or_as_asked(apn, images):
    cfg = Config.fromfile(apn.config)
    found = {}
    for configured in (False, True):
        cfg.model.test_cfg = dict(flip_test=configured, flip_mode='heatmap')
        inferencer = PoseInferencer(cfg, apn.checkpoint, device='cpu')
        for asked in (None, False, True):
            (persons,) = persons_of(inferencer(images[0], flip_test=asked))
            found[configured, asked] = persons[0]['keypoint_scores']
        assert inferencer.model.test_cfg['flip_test'] is configured
    assert found[False, None] == found[False, False] == found[True, False]
    assert found[True, None] == found[True, True] == found[False, True] != found[False, None]


# ------------------------------------------------------------------------------------------------ bad input


def refuse(match, inferencer, inputs, **kwargs):
    with pytest.raises(ValueError, match=match):
        list(inferencer(inputs, **kwargs))


def test_no_image(inferencer, tmp_path):
    text = tmp_path / 'text.jpg'
    text.write_text('this is no picture')
    refuse(r'text.jpg is not an image that can be read', inferencer, str(text), out_dir=tmp_path / 'out')
    refuse('nothing.jpg does not exist', inferencer, str(tmp_path / 'nothing.jpg'))
    refuse(r'an array \(4, 4\) uint8, allowed: \(H, W, 3\) uint8 BGR', inferencer, np.zeros((4, 4), np.uint8))
    refuse(r'an array \(0, 4, 3\)', inferencer, np.zeros((0, 4, 3), np.uint8))
    refuse('inputs=7, allowed: an image', inferencer, 7)
    refuse("inputs='', allowed: an image", inferencer, '')
    refuse('is empty', inferencer, [])
    (result,) = inferencer([None])  # one of several, though there are no others
    assert result['error'] == 'inputs[0] is a NoneType, allowed: a path or an array'
    assert not list((tmp_path / 'out').rglob('*.*'))


def test_an_empty_folder(inferencer, tmp_path):
    (tmp_path / 'readme.txt').write_text('no image')
    refuse(f'folder {tmp_path} holds no images', inferencer, str(tmp_path))


def test_boxes_that_are_none(inferencer, images):
    zero = [BOXES[0], [3, 4, 3, 9]]
    refuse(r'bboxes\[1\]=\(3, 4, 3, 9\) has no size, allowed: x1 < x2', inferencer, images[0], bboxes=zero)
    refuse(r'bboxes\[0\]\[0\]=\(3, 9, 5, 4\) has no size', inferencer, images[0], bboxes=[[[3, 9, 5, 4]]])
    refuse(r'is not finite', inferencer, images[0], bboxes=[[0, 0, np.nan, 4]])
    refuse(r'bboxes has the shape \(1, 3\), allowed: \(N, 4\)', inferencer, images[0], bboxes=[[1, 2, 3]])
    refuse('bboxes are given for 2 images, but there are 3', inferencer, images, bboxes=[BOXES, BOXES])
    outside = r'bboxes\[1\]=\(80, 0, 90, 9\) is outside the image, which is 80 wide and 96 high'
    refuse(outside, inferencer, images[0], bboxes=[[0, 0, 9, 9], [80, 0, 90, 9]])
    results = list(inferencer(images, bboxes=[BOXES, [[0, 70, 9, 90]], BOXES]))  # the second is 60 high
    assert [len(p) for p in persons_of(results)] == [3, 0, 3] and 'outside the image' in results[1]['error']


def test_an_unreadable_video(inferencer, tmp_path):
    for name, content in (('text.mp4', b'no video'), ('empty.mp4', b'')):
        (tmp_path / name).write_bytes(content)
        refuse(f'video {tmp_path / name} cannot be read', inferencer, str(tmp_path / name))
    whole = make_video(tmp_path / 'whole.mp4').read_bytes()
    (tmp_path / 'half.mp4').write_bytes(whole[: len(whole) // 2])  # its index, at the end, is lost
    refuse('half.mp4 cannot be read', inferencer, str(tmp_path / 'half.mp4'))
    refuse('camera 99 cannot be opened', inferencer, 'webcam:99')
    refuse('"webcam" or "webcam:NUMBER"', inferencer, 'webcam:front')


def test_a_checkpoint_of_another_config(apn, sfl, tmp_path):
    with pytest.raises(ValueError, match='does not match config') as caught:
        PoseInferencer(apn.config, sfl.checkpoint, device='cpu')
    text = str(caught.value)
    assert str(sfl.checkpoint) in text and str(apn.config) in text
    assert re.search(r'missing in the file \(\d+\): backbone\.stacks\.\S+, backbone\.\S+, backbone\.\S+, \.\.\.;', text)
    assert re.search(r'not of this model \(\d+\): neck\.fc7\.weight, ', text)
    wider = torch.load(apn.checkpoint)
    name = 'head.stacks.1.pose.3.weight'
    wider['state_dict'][name] = torch.zeros(16, 8, 1, 1)
    torch.save(wider, tmp_path / 'wider.pth')
    with pytest.raises(ValueError, match=rf'another shape \(1\): {name} \(16, 8, 1, 1\) in the file, \(14, 8, 1, 1\)'):
        PoseInferencer(apn.config, tmp_path / 'wider.pth', device='cpu')


def test_files_that_are_not_there(apn, tmp_path):
    with pytest.raises(ValueError, match='nothing.py does not exist'):
        PoseInferencer('nothing.py', apn.checkpoint)
    with pytest.raises(ValueError, match='no-such-model.* is neither a file, a shipped model'):
        PoseInferencer('no-such-model', device='cpu')
    with pytest.raises(ValueError, match=r'nothing\.pth: no such file'):
        PoseInferencer(apn.config, 'nothing.pth')
    with pytest.raises(ValueError, match='is given without a config'):
        PoseInferencer(checkpoint=apn.checkpoint)
    (tmp_path / 'half.pth').write_bytes(apn.checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match='truncated'):
        PoseInferencer(apn.config, tmp_path / 'half.pth')


def test_a_device_that_is_not_there(apn):
    count = torch.cuda.device_count()
    with pytest.raises(ValueError, match=rf"device 'cuda:{count}': torch finds no such GPU, allowed here: cpu"):
        PoseInferencer(*apn, device=f'cuda:{count}')
    with pytest.raises(ValueError, match="device 'gpu' is not a torch device, allowed here: cpu"):
        PoseInferencer(*apn, device='gpu')


def test_arguments_that_are_not_allowed(inferencer, images, tmp_path, monkeypatch):
    refuse('batch_size=0, allowed: an integer of at least 1', inferencer, images[0], batch_size=0)
    for value in (2, -0.1, np.nan):
        refuse(r'kpt_thr=.*, allowed: a number from 0 to 1', inferencer, images[0], kpt_thr=value)
    for name, value in (('radius', -1), ('thickness', np.nan), ('wait_time', -1)):
        refuse(f'{name}={value}, allowed: a', inferencer, images[0], **{name: value})
    refuse("flip_test='yes', allowed: True, False", inferencer, images[0], flip_test='yes')
    refuse('bboxes=True, allowed: an array', inferencer, images[0], bboxes=True)
    for odd in (b'image', {'a': 1}):
        refuse('inputs=.*, allowed: an image', inferencer, odd)
    refuse('out_dir=5, allowed: a folder', inferencer, images[0], out_dir=5)
    refuse('cannot be created: .*embedded null (byte|character)', inferencer, images[0], out_dir='a\0b')
    refuse('unknown argument', inferencer, images[0], bbox=BOXES)
    refuse('merge_results=False, allowed: True', inferencer, images[0], merge_results=False)
    assert len(list(inferencer(images[0], merge_results=True))) == 1
    refuse(r'given for b\.png, and no image has such a name', inferencer, images, bboxes={'b.png': BOXES})
    refuse("skeleton_style='stick', allowed: 'mmpose', 'openpose'", inferencer, images[0], skeleton_style='stick')
    (tmp_path / 'file').write_text('')
    refuse('file is a file, not a folder', inferencer, images[0], out_dir=tmp_path / 'file')
    refuse('allowed for several images: a folder', inferencer, images, vis_out_dir=str(tmp_path / 'one.png'))
    list(inferencer(images[0], vis_out_dir=str(tmp_path / 'one.png')))
    assert cv2.imread(str(tmp_path / 'one.png')).shape == images[0].shape
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    refuse('show needs a display', inferencer, images[0], show=True)


@needs_data
def test_real_images(inferencer, tmp_path):
    for name in ('im00002.jpg', 'im00004.jpg'):
        shutil.copy(data_root() / 'lspet-mini/images' / name, tmp_path)
    results = list(inferencer(str(tmp_path), return_vis=True))
    assert len(results) == 2 and len(persons_of(results)[0][0]['keypoints']) == 14
