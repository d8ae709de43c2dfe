"""tools/deployment/onnx_pose against what it stands for: mmpose's and our codecs, max_sum and mmpose's crops."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import onnx
import pytest
import torch
from mmengine.dataset import Compose
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS

from posestructs.deployment.metadata import describe_codec
from posestructs.layers.max_sum import max_sum
from posestructs.layers.part_maps import flip_average as flip_parts
from posestructs.structures.feature_calibration import FeatureCalibration, Regression
from posestructs.structures.joint_features import NAMES
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.images import read_image
from tests.helpers import repo_root
from tests.test_utils.test_images import FILES, REFUSED

FOLDER = repo_root() / 'tools' / 'deployment'


@pytest.fixture(scope='module')
def onnx_pose():
    sys.path.insert(0, str(FOLDER))
    import onnx_pose

    yield onnx_pose
    sys.path.remove(str(FOLDER))


def bumps(rng, count, joints, width, height):
    """Maps with a peak each and noise; joint 0 at a corner, joint 1 at a border, joint 2 nowhere."""
    centres = rng.uniform(1, (width - 2, height - 2), (count, joints, 2))
    centres[:, 0], centres[:, 1, 0] = (width - 1, 0), 0
    y, x = np.indices((height, width))
    square = (x - centres[..., 0, None, None]) ** 2 + (y - centres[..., 1, None, None]) ** 2
    maps = rng.uniform(0.5, 1.2, (count, joints, 1, 1)) * np.exp(-square / 8) + rng.normal(0, 0.01, square.shape)
    maps[:, 2] = -0.1
    return maps.astype(np.float32)


def decoded(onnx_pose, maps, codec):
    metadata = dict(codec=json.loads(json.dumps(describe_codec(codec))), input=dict(size=codec.input_size))
    return onnx_pose.decode(maps, metadata)


SIZES = dict(input_size=(96, 128), heatmap_size=(24, 32), sigma=2)
HEATMAPS = {
    'MSRAHeatmap': dict(type='MSRAHeatmap'),
    'MSRAHeatmap unbiased': dict(type='MSRAHeatmap', unbiased=True),
    'UDPHeatmap': dict(type='UDPHeatmap'),
    'argmax_shift': dict(type='OcclusionHeatmap', decode='argmax_shift'),
    'plain': dict(type='OcclusionHeatmap', decode='plain'),
    'dark': dict(type='OcclusionHeatmap', decode='dark', blur_kernel_size=7),
    'udp': dict(type='OcclusionHeatmap', decode='udp'),
    'no occlusion': dict(type='OcclusionHeatmap', with_occlusion=False),
}


@pytest.mark.parametrize('name', HEATMAPS)
def test_heatmaps_are_decoded_as_the_codec_does(onnx_pose, name):
    codec = KEYPOINT_CODECS.build(dict(SIZES, **HEATMAPS[name]))
    maps = bumps(np.random.default_rng(0), 3, 7, 24, 32)
    occluded = getattr(codec, 'with_occlusion', False)
    if occluded:
        maps = np.concatenate([maps, maps * np.random.default_rng(1).uniform(-0.5, 1.5, maps.shape)], 1)
        maps = maps.astype(np.float32)
    found = decoded(onnx_pose, maps, codec)
    assert ('keypoints_occluded' in found) == occluded
    for i, one in enumerate(maps):
        keypoints, scores = codec.decode(one.copy())
        # a blur in another order of sums: rounding
        np.testing.assert_allclose(found['keypoints'][i], keypoints[0], atol=2e-3)
        np.testing.assert_array_equal(found['keypoint_scores'][i], scores[0])
        if occluded:
            np.testing.assert_allclose(found['keypoints_occluded'][i], codec.decode_occlusion(one)[0], atol=1e-6)


def part_logits(codec, rng, count=2):
    width, height = codec.heatmap_size
    logits = rng.normal(0, 1, (count, codec.num_channels, height, width))
    for image in logits:
        for channel in image[:-1]:
            channel[rng.integers(height), rng.integers(width)] += 9
    return torch.from_numpy(logits).float().log_softmax(1)


@pytest.mark.parametrize('scores', ['probability', 'log_probability'])
@pytest.mark.parametrize('refine', ['parabola', 'quarter', None])
def test_parts_are_decoded_as_the_codec_does(onnx_pose, scores, refine):
    shared = dict(type='PartScoreMap', input_size=(96, 64), heatmap_size=(12, 8), scores=scores, refine=refine)
    codecs = [
        KEYPOINT_CODECS.build(dict(shared, tree=dict(from_file='lsp-26.py'))),
        KEYPOINT_CODECS.build(dict(shared, tree=dict(from_file='lsp-26.py'), deformation='lsp-26_13types.json')),
    ]
    assert [codec.decode_method for codec in codecs] == ['argmax', 'max_sum']
    for codec in codecs:
        log_probs = part_logits(codec, np.random.default_rng(3))
        poses = codec.decode_poses(log_probs)
        found = decoded(onnx_pose, log_probs.numpy(), codec)
        np.testing.assert_allclose(found['keypoints'], poses.keypoints, atol=1e-3)
        np.testing.assert_allclose(found['keypoint_scores'], poses.keypoint_scores, atol=1e-6)
        np.testing.assert_allclose(found['pose_scores'], poses.scores, rtol=1e-5)


@pytest.mark.parametrize('parents', [[-1], [1, -1, 1, 0], [2, -1, 1, 0, 0, 4]])
@pytest.mark.parametrize('size', [(7, 5), (1, 6)])
def test_max_sum_is_that_of_torch(onnx_pose, parents, size):
    rng = np.random.default_rng(len(parents))
    scores = rng.normal(0, 2, (len(parents), 3, *size))
    offsets, weights = rng.normal(0, 2, (len(parents), 3, 2)), rng.uniform(0, 0.5, (len(parents), 3, 2))
    expected = max_sum(torch.from_numpy(scores)[None], parents, *map(torch.from_numpy, (offsets, weights)))
    found = onnx_pose.max_sum(scores, parents, offsets, weights)
    assert found.score == pytest.approx(expected.score.item(), rel=1e-12)
    assert found.positions.tolist() == expected.positions[0].tolist()
    assert found.types.tolist() == expected.types[0].tolist()


@pytest.mark.parametrize('udp', [False, True])
def test_crops_are_those_of_mmpose(onnx_pose, udp):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (20, 15, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    boxes = np.array([[10, 20, 60, 150], [-20, 30, 110, 90], [0, 0, 120, 160.5]], np.float32)
    crops, window = onnx_pose.crop_boxes(image, boxes, (48, 64), 1.25, udp)
    pipeline = Compose([dict(type='GetBBoxCenterScale'), dict(type='TopdownAffine', input_size=(48, 64), use_udp=udp)])
    for i, box in enumerate(boxes):
        sample = pipeline(dict(img=image, bbox=box[None]))
        difference = np.abs(crops[i] - sample['img'].astype(float))
        # OpenCV rounds shares of a pixel
        assert difference.mean() < 0.5 and np.quantile(difference, 0.99) <= 6
        np.testing.assert_allclose(window.centres[i], sample['input_center'], atol=1e-4)
        np.testing.assert_allclose(window.sizes[i], sample['input_scale'], atol=1e-4)
        points = rng.uniform(0, 48, (1, 5, 2))
        expected = points[0] / (48, 64) * sample['input_scale'] + sample['input_center'] - 0.5 * sample['input_scale']
        one = onnx_pose.Window(window.centres[i : i + 1], window.sizes[i : i + 1])
        np.testing.assert_allclose(onnx_pose.to_image(points, one, (48, 64))[0], expected, atol=1e-3)


@pytest.mark.parametrize('shift', [False, True])
def test_mirrored_maps_are_put_back(onnx_pose, shift):
    maps, mirrored = torch.rand(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    indices = [1, 0, 2]
    found = onnx_pose.flip_average(
        maps.numpy(), mirrored.numpy(), dict(channels=indices, shift=shift, logarithms=False)
    )
    expected = (maps + flip_heatmaps(mirrored, indices, shift_heatmap=shift)) * 0.5
    np.testing.assert_array_equal(found, expected)
    logs = [part.log() for part in (maps, mirrored)]
    found = onnx_pose.flip_average(
        *(part.numpy() for part in logs), dict(channels=indices, shift=False, logarithms=True)
    )
    np.testing.assert_allclose(found, flip_parts(*logs, indices), atol=1e-6)


@pytest.mark.parametrize('name', FILES)
def test_images_are_read_as_by_the_reader_of_the_project(onnx_pose, tmp_path, name):
    (tmp_path / 'image').write_bytes(FILES[name][0])
    np.testing.assert_array_equal(onnx_pose.read_image(tmp_path / 'image'), read_image(tmp_path / 'image')[..., ::-1])


@pytest.mark.parametrize('name', sorted(set(REFUSED) - {'scans'}))  # which only take long
def test_images_that_the_reader_refuses_are_refused(onnx_pose, tmp_path, name):
    (tmp_path / 'image').write_bytes(REFUSED[name][0])
    with pytest.raises(ValueError, match=f'^{tmp_path / "image"}: '):
        onnx_pose.read_image(tmp_path / 'image')


def test_an_unknown_codec_and_bad_images_are_refused(onnx_pose, tmp_path):
    codec = KEYPOINT_CODECS.build(dict(type='MegviiHeatmap', input_size=(64, 64), heatmap_size=(16, 16), kernel_size=3))
    with pytest.raises(ValueError, match='the codec MegviiHeatmap is not part of onnx_pose'):
        decoded(onnx_pose, np.zeros((1, 2, 16, 16), np.float32), codec)
    with pytest.raises(FileNotFoundError, match='gone.onnx: no such file'):
        onnx_pose.OnnxPose(tmp_path / 'gone.onnx')
    image = np.zeros((4, 5, 3), np.uint8)
    for wrong, boxes, message in [
        (image[..., 0], None, r'image is uint8 \(4, 5\), allowed: uint8 \(h, w, 3\)'),
        (image.astype(float), None, 'image is float64'),
        (image, [[1, 1, 1, 3]], r'box=\[1.0, 1.0, 1.0, 3.0\], allowed: x1, y1, x2, y2 with '),
        (image, [[0.1, 0.1, 0.9, 0.9]], 'is smaller than a pixel, allowed: pixels, not shares'),
        (image, [[0, 0, 1e30, 3]], 'coordinates of at most 1000000'),
        (image, [[1, np.nan, 2, 3]], 'box=.*, allowed: x1'),
        (image, np.ones((4, 5)), r'boxes.shape=\(4, 5\), allowed: \(N, 4\)'),
        (image, [0, 0, 2, 2, 1, 1, 3, 3], r'boxes.shape=\(8,\)'),
        (image, np.ones((1, 2, 4)), r'boxes.shape=\(1, 2, 4\)'),
        (image, [[0, 0, 2, 2], [5, 0, 9, 2]], r'box \[5.0, 0.0, 9.0, 2.0\] is outside the image, .* 5 wide and 4 high'),
        (image, [[0, -3, 2, 0]], 'is outside'),
    ]:
        with pytest.raises(ValueError, match=message):
            onnx_pose.model._checked(wrong, boxes)
    # one pixel inside is enough
    assert onnx_pose.model._checked(image, [[4, 3, 9, 9], [-5, -5, 1, 1]])[1].shape == (2, 4)


@pytest.fixture(scope='module')
def colours(onnx_pose, tmp_path_factory):
    """A network whose three joints are where the input is reddest, greenest and bluest, in cells of 4 pixels."""
    node = onnx.helper.make_node('AveragePool', ['image'], ['maps'], kernel_shape=[4, 4], strides=[4, 4])
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ['n', 3, side, side])
        for name, side in (('image', 64), ('maps', 16))
    ]
    graph = onnx.helper.make_graph([node], 'colours', values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 17)], ir_version=8)
    description = dict(
        version=onnx_pose.model.VERSION,
        joints=['red', 'green', 'blue'],
        input=dict(size=[64, 64], mean=[0] * 3, std=[255] * 3, channels='RGB'),
        crop=dict(padding=1.25, udp=False),
        flip=dict(test=False, channels=[0, 1, 2], shift=False, logarithms=False),
        codec=dict(type='hand-made', decode='plain', occlusion=False),
    )
    onnx.helper.set_model_props(model, {onnx_pose.model.KEY: json.dumps(description)})
    path = tmp_path_factory.mktemp('colours') / 'colours.onnx'
    onnx.save(model, path)
    return onnx_pose.OnnxPose(path, threads=1)


def test_a_person_without_a_box_is_predicted_twice(colours):
    image, centres = np.zeros((400, 320, 3), np.uint8), np.array([[200, 150], [260, 190], [220, 230]])
    for channel, (x, y) in enumerate(centres):
        image[y - 12 : y + 12, x - 12 : x + 12, channel] = 255
    whole = [[0, 0, 320, 400]]

    def error(found):
        return np.abs(found['keypoints'][0] - centres).max()

    first, found = colours(image, second_pass=False), colours(image)
    # cells are 1.25 * 400 / 16 = 31 pixels wide, and about a quarter of that in the crop around the joints
    assert first['bboxes'].tolist() == whole and 12 < error(first) < 32
    assert error(found) < 12
    (low_x, low_y, high_x, high_y) = found['bboxes'][0]
    low, high = first['keypoints'][0].min(0), first['keypoints'][0].max(0)
    margin = 0.05 * (high - low).max()
    np.testing.assert_allclose([low_x, low_y, high_x, high_y], [*(low - margin), *(high + margin)], rtol=1e-6)
    assert colours(image, whole)['bboxes'].tolist() == whole  # of given boxes only on demand
    both = colours(image, [*whole, [185, 140, 255, 225]], second_pass=True)  # the second box fits
    assert both['bboxes'].tolist() == [found['bboxes'][0].tolist(), [185, 140, 255, 225]]
    np.testing.assert_array_equal(both['keypoints'][0], found['keypoints'][0])
    assert colours(image, [], second_pass=True)['keypoints'].shape == (0, 3, 2)


def test_it_needs_numpy_alone(tmp_path):
    """In a process without this project or its environment's other packages: only what decoding imports."""
    code = (
        f'import sys; sys.path.insert(0, {str(FOLDER)!r})\n'
        'import numpy as np, onnx_pose\n'
        'maps = np.zeros((1, 2, 4, 4), np.float32); maps[0, 0, 1, 2] = maps[0, 1, 1, 2] = 1\n'
        "meta = dict(codec=dict(type='x', decode='plain', occlusion=True), input=dict(size=(16, 16)))\n"
        'found = onnx_pose.decode(maps, meta)\n'
        "print(found['keypoints'].tolist(), found['keypoints_occluded'].tolist())\n"
        "print(sorted({'torch', 'mmpose', 'mmengine', 'cv2', 'posestructs', 'onnxruntime'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ['[[[8.0, 4.0]]] [[1.0]]', '[]']


@pytest.mark.parametrize(
    'text, message',
    [
        ('{', 'Expecting'),
        ('[' * 10**5, 'recursion'),
        ('[1]', 'a list'),
        ('{"version": 1}', "'joints'"),
        (
            '{"version": 1, "joints": "x", "input": {}, "crop": {}, "flip": {}, "codec": {}}',
            "joints='x', allowed: a list",
        ),
        (
            '{"version": 1, "joints": [], "input": {}, "crop": {}, "flip": null, "codec": {}}',
            'flip=None, allowed: a dict',
        ),
    ],
)
def test_a_damaged_description_is_named(onnx_pose, text, message):
    with pytest.raises(ValueError, match=f'a.onnx: its description is damaged: .*{message}'):
        onnx_pose.model._read_metadata('a.onnx', text)


def test_features_are_those_of_the_project():
    """The folder may be copied, so that it has a copy of its own."""
    own = (FOLDER / 'onnx_pose' / 'joint_features.py').read_bytes()
    assert own == (repo_root() / 'posestructs' / 'structures' / 'joint_features.py').read_bytes()


@pytest.mark.parametrize('method', ['platt', 'isotonic', 'features'])
def test_calibrations_are_those_of_the_project(onnx_pose, method):
    rng = np.random.default_rng(2)
    codec = KEYPOINT_CODECS.build(dict(SIZES, type='OcclusionHeatmap'))
    maps = bumps(rng, 3, 4, 24, 32)
    maps = np.concatenate([maps, maps * rng.uniform(-0.5, 1.5, maps.shape).astype(np.float32)], 1)
    common = dict(joints=('a', 'b', 'c', 'd'), criterion='x', fingerprint='f', flip_test=False)
    if method == 'features':
        rules = [
            Regression(dict(zip(NAMES, rng.normal(0, 0.5, len(NAMES)), strict=True)), tuple(rng.normal(0, 1, 4)))
            for _ in range(2)
        ]
        calibration = FeatureCalibration(
            mirror=(1, 0, 2, 3), links=((0, 2), (1, 2)), correct=rules[0], present=rules[1], **common
        )
    elif method == 'platt':
        calibration = ScoreCalibration(method=method, curves=tuple(map(tuple, rng.normal(0, 3, (4, 2)))), **common)
    else:
        curves = tuple(tuple(np.sort(rng.uniform(0, 1, (2, 5)), 1).tolist()) for _ in range(4))
        calibration = ScoreCalibration(method=method, curves=curves, **common)
    content = dict(codec=describe_codec(codec), input=dict(size=codec.input_size), calibration=asdict(calibration))
    found = onnx_pose.decode(maps, json.loads(json.dumps(content)))
    if method == 'features':
        expected = calibration.apply(maps[:, :4], found['keypoints_occluded'])
    else:
        expected = dict(keypoints_correct=calibration.apply(found['keypoint_scores']))
    assert {key for key in found if key in ('keypoints_correct', 'keypoints_present')} == set(expected)
    for key, values in expected.items():
        assert np.ptp(values) > 0.05
        np.testing.assert_allclose(found[key], values, atol=1e-6)
    content['calibration']['method'] = 'spline'
    with pytest.raises(ValueError, match="method='spline', allowed: platt, isotonic, features"):
        onnx_pose.decode(maps, content)
