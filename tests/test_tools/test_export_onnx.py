"""tools/deployment/export_onnx.py: each method's network, shrunken, through onnxruntime to mmpose's own joints."""

import json
import re
import sys
from argparse import Namespace

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import MODELS
from PIL import Image

from posestructs.apis import PoseInferencer, shipped_models
from posestructs.deployment import load_generator
from posestructs.deployment.metadata import VERSION, describe_network
from posestructs.deployment.onnx_export import KEY
from posestructs.structures.score_calibration import ScoreCalibration
from posestructs.utils.model_fingerprint import model_fingerprint
from tests.helpers import repo_root
from tests.helpers.onnx_detectors import red_squares, write_detector

TOOL = 'deployment/export_onnx.py'
PREDICT = 'deployment/predict_onnx.py'
FLIP = "test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True)"
GENERATOR = (
    "dict(type='StackedPoseGenerator', num_stacks=1, channels=8, depth=1, num_branches=1, stem_channels=(4, 4, 4))"
)
NETWORKS = dict(
    adversarial=('tests/test_tools/tiny_adversarial-64x64.py', f'model = dict({FLIP})'),
    parts=(
        'configs/structured_feature/sfl-separable_gen64_stick-figure-64x64.py',
        "tree = dict(metainfo=dict(from_file='lsp.py'))\n"
        f'model = dict(backbone=dict(_delete_=True, **{GENERATOR}),\n'
        '    neck=dict(in_channels=8, part_channels=4, direction="up", tree=dict(_delete_=True, **tree)),\n'
        '    head=dict(in_channels=14 * 8, shared_channels=8, decoder=dict(tree=dict(_delete_=True, **tree))))',
    ),
    hybrid=(
        'configs/hybrid/apn-tree_2x56_stick-figure-64x64.py',
        'small = dict(channels=8, depth=1, norm_cfg=dict(type="GN", num_groups=2))\n'
        'model = dict(backbone=dict(num_stacks=1, channels=8, depth=1, stem_channels=(4, 4, 4)),\n'
        '    neck=dict(in_channels=8, part_channels=2), head=dict(in_channels=8, num_stacks=1),\n'
        f'    discriminators=dict(pose=small, confidence=small), {FLIP})',
    ),
    max_sum=(
        # without messages: what is looked at here is the decoding, with the mixture types that are shipped
        'configs/structured_feature/sfl-separable_gen64_stick-figure-64x64_none.py',
        f'model = dict(backbone=dict(_delete_=True, **{GENERATOR}), neck=dict(in_channels=8, part_channels=1),\n'
        '    head=dict(in_channels=26 * 2, shared_channels=8,\n'
        '        decoder=dict(deformation="lsp-26_13types.json", scores="log_probability")))',
    ),
    resnet=('tests/test_tools/tiny_mpii-64x64.py', f'model = dict({FLIP})'),
)


@pytest.fixture(scope='module')
def onnx_pose():
    sys.path.insert(0, str(repo_root() / 'tools' / 'deployment'))
    import onnx_pose

    yield onnx_pose
    sys.path.pop(0)


@pytest.fixture(scope='module')
def exported(main, tmp_path_factory):
    """Config, checkpoint (with discriminators, where there are) and ONNX file of each network; what was printed."""
    folder = tmp_path_factory.mktemp('onnx')

    def export(name):
        base, text = NETWORKS[name]
        config, checkpoint, out = (folder / f'{name}.{end}' for end in ('py', 'pth', 'onnx'))
        if not out.exists():
            config.write_text(f"_base_ = '{repo_root() / base}'\n{text}\n")
            init_default_scope('mmpose')
            torch.manual_seed(0)
            model = MODELS.build(Config.fromfile(str(config)).model)
            getattr(model, 'attach_discriminators', dict)()
            torch.save(dict(meta=dict(), state_dict=model.state_dict()), checkpoint)
            main(TOOL, config, checkpoint, '--out', out, '--batches', 1, 4)
        return config, checkpoint, out

    return export


def drawing():
    image = np.random.default_rng(0).integers(0, 255, (23, 18, 3)).astype(np.uint8)
    return np.array(Image.fromarray(image).resize((144, 184), Image.Resampling.BICUBIC))


@pytest.mark.parametrize('name', NETWORKS)
def test_without_mmpose_the_joints_are_mmposes(exported, onnx_pose, capsys, name):
    config, checkpoint, out = exported(name)
    reported = capsys.readouterr().out
    for batch in (1, 4):
        found = re.search(rf'batch of {batch}: torch and onnxruntime differ by (\S+) at most', reported)
        assert float(found.group(1)) < 1e-4
    assert f'{out}: ' in reported and 'random weights' not in reported

    model = init_model(str(config), str(checkpoint), device='cpu')
    image = drawing()
    # windows of 64 x 64 whole pixels, so that no crop is interpolated
    boxes = np.array([[c - 25.6, d - 25.6, c + 25.6, d + 25.6] for c, d in ((40, 60), (90, 100), (140, 20))])
    expected = [sample.pred_instances for sample in inference_topdown(model, image[..., ::-1].copy(), boxes)]
    network = onnx_pose.OnnxPose(out, threads=1)
    found = network(image, boxes)  # with the flip test of the config
    assert network.metadata['flip']['test'] is model.test_cfg['flip_test'] is True
    plain = network(image, boxes, flip_test=False)
    assert np.abs(plain['keypoint_scores'] - found['keypoint_scores']).max() > 1e-3
    model.test_cfg['flip_test'] = False
    expected_plain = [sample.pred_instances for sample in inference_topdown(model, image[..., ::-1].copy(), boxes)]
    np.testing.assert_allclose(plain['keypoint_scores'], [one.keypoint_scores[0] for one in expected_plain], atol=1e-4)
    assert network.joints == [model.dataset_meta['keypoint_id2name'][i] for i in range(len(network.joints))]
    assert set(found) <= set(expected[0].keys())
    occlusion = name in ('adversarial', 'hybrid')
    assert ('keypoints_occluded' in found) == occlusion == ('keypoints_occluded' in expected[0])
    assert network.metadata['codec']['decode'] == dict(parts='argmax', max_sum='max_sum').get(name, 'quarter')
    for i, one in enumerate(expected):
        np.testing.assert_allclose(found['keypoints'][i], one.keypoints[0], atol=0.02)
        np.testing.assert_allclose(found['keypoint_scores'][i], one.keypoint_scores[0], atol=1e-4)
        for key in {'keypoints_occluded', 'pose_scores'} & set(found):
            np.testing.assert_allclose(found[key][i], np.ravel(one[key]), atol=1e-3)
    assert np.ptp(found['keypoints'], axis=0).max() > 10
    # nobody is an answer, too, and has the same arrays
    for nobody in (np.zeros((0, 4)), []):
        empty = network(image, nobody, flip_test=True)
        assert {key: (value.shape, value.dtype) for key, value in empty.items()} == {
            key: ((0, *value.shape[1:]), value.dtype) for key, value in found.items()
        }


def test_a_calibration_in_the_file_gives_the_probabilities_of_the_model(exported, onnx_pose, tmp_path):
    config, checkpoint, out = exported('resnet')
    curves = tuple((3.0 + k, -1.0) for k in range(16))
    plain = load_generator(Config.fromfile(str(config)), checkpoint)
    joints = tuple(plain.dataset_meta['keypoint_id2name'][i] for i in range(16))
    mark = model_fingerprint(plain)
    ScoreCalibration(joints, 'platt', curves, 'x', mark, flip_test=True).save(tmp_path / 'c.json')
    cfg = Config.fromfile(str(config))
    cfg.model.type, cfg.model.test_cfg.calibration = 'CalibratedPoseEstimator', str(tmp_path / 'c.json')
    model = load_generator(cfg, checkpoint)
    file, description = onnx.load(out), describe_network(model, cfg)
    onnx.helper.set_model_props(file, {KEY: json.dumps(description)})
    onnx.save(file, tmp_path / 'calibrated.onnx')

    image, boxes = drawing(), np.array([[14.4, 34.4, 65.6, 85.6]])
    network = onnx_pose.OnnxPose(tmp_path / 'calibrated.onnx', threads=1)
    found = network(image, boxes)
    expected = inference_topdown(model, image[..., ::-1].copy(), boxes)[0].pred_instances
    np.testing.assert_allclose(found['keypoints_correct'], expected.keypoints_correct, atol=1e-4)
    assert found['keypoints_correct'].dtype == np.float32
    assert network(image, [])['keypoints_correct'].shape == (0, 16)
    with pytest.raises(ValueError, match='fitted with flip_test=True, got flip_test=False'):
        network(image, boxes, flip_test=False)
    # a calibration of other weights is refused before anything is written
    ScoreCalibration(joints, 'platt', curves, 'x', 'other', flip_test=True).save(tmp_path / 'c.json')
    with pytest.raises(ValueError, match=f'fitted to other weights .fingerprint other, here {mark}'):
        describe_network(load_generator(cfg, checkpoint), cfg)


def test_the_file_holds_the_network_and_nothing_of_its_making(exported):
    _, checkpoint, out = exported('adversarial')
    model = onnx.load(out)
    weights = {item.name for item in model.graph.initializer}
    # batch or group normalisation apart, which exporters fold away
    assert {'backbone.stacks.0', 'head.stacks.0'} <= {'.'.join(name.split('.')[:3]) for name in weights}
    assert not any('discriminators' in name for name in weights)
    assert any(name.startswith('discriminators.') for name in torch.load(checkpoint)['state_dict'])
    assert str(repo_root()).encode() not in out.read_bytes()
    sizes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input]
    assert sizes == [['batch', 3, 64, 64]]
    description = json.loads({p.key: p.value for p in model.metadata_props}[KEY])
    assert description['input'] == dict(
        size=[64, 64], mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], channels='RGB'
    )
    assert description['codec'] == dict(type='OcclusionHeatmap', decode='quarter', occlusion=True)
    assert description['crop'] == dict(padding=1.25, udp=False)
    assert [description['joints'][i] for i in description['skeleton'][0]] == ['right_ankle', 'right_knee']


def test_joints_of_an_image_file(exported, command, tmp_path):
    out = exported('resnet')[2]
    Image.fromarray(drawing()).save(tmp_path / 'image.png')
    box = [20, 30, 100, 120]
    done = command(PREDICT, out, 'image.png', '--bbox', *box, '--box', *box, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found['joints']) == 16 and len(found['people']) == 2
    assert np.array(found['people'][0]['keypoints']).shape == (16, 2)
    assert found['people'][0] == found['people'][1] and found['people'][0]['bboxes'] == [20, 30, 100, 120]
    keys = {'keypoints', 'keypoint_scores', 'bbox', 'bbox_score', 'keypoint_names'}  # those of demo/inference.py
    assert keys <= set(found['people'][0]) and found['people'][0]['bbox'] == [[20, 30, 100, 120]]
    assert found['people'][0]['keypoint_names'] == found['joints']
    documented = (repo_root() / 'docs/export.md').read_text()  # the form of --out is not that of --out-dir
    assert '{"joints": [names], "people": [persons]}' in documented and list(found) == ['joints', 'people']
    (tmp_path / 'text.png').write_text('no image')
    done = command(PREDICT, out, 'text.png', cwd=tmp_path)
    assert done.returncode == 1 and done.stderr == 'predict_onnx.py: error: text.png: not an image\n'


def test_detected_persons_are_written_as_the_inferencer_does(exported, main, tmp_path):
    config, checkpoint, out = exported('adversarial')
    detector = write_detector(tmp_path / 'yolox.onnx')
    images = [tmp_path / f'{name}.png' for name in 'ab']
    for image, pixels in zip(images, (red_squares(), np.zeros((64, 64, 3), np.uint8)), strict=True):
        Image.fromarray(pixels).save(image)
    main(PREDICT, out, *images, '--det-model', detector, '--out-dir', tmp_path / 'onnx')
    inferencer = PoseInferencer(config, checkpoint, device='cpu', det_model=detector)
    list(inferencer(list(map(str, images)), out_dir=tmp_path / 'torch'))
    for name, count in (('a', 9), ('b', 0)):
        found, expected = (
            json.loads((tmp_path / kind / 'predictions' / f'{name}.json').read_text()) for kind in ('onnx', 'torch')
        )
        assert len(found) == len(expected) == count
        for one, other in zip(found, expected, strict=True):
            assert one.keys() == other.keys() and one['keypoint_names'] == other['keypoint_names']
            for key in ('bbox', 'bbox_score', 'keypoint_scores', 'keypoints_occluded'):
                np.testing.assert_allclose(one[key], other[key], atol=0.01)
            # of random maps a rounded pixel of the crop can swap two cells
            near = np.abs(np.subtract(one['keypoints'], other['keypoints'])).max(1) < 0.5
            assert near.mean() > 0.8


def test_images_of_one_name_have_the_files_of_the_inferencer(exported, main, tmp_path):
    config, checkpoint, out = exported('adversarial')
    images = [tmp_path / name for name in ('one/a.jpg', 'two/a.jpg', 'one/b.jpg', 'one/b.png')]
    for i, image in enumerate(images):
        image.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((40 + i, 50 + i, 3), 90, np.uint8)).save(image)
    main(PREDICT, out, *images, '--out-dir', tmp_path / 'onnx', '--no-second-pass')
    inferencer = PoseInferencer(config, checkpoint, device='cpu')
    list(inferencer(list(map(str, images)), out_dir=tmp_path / 'torch', second_pass=False))
    found, expected = (
        {file.name: json.loads(file.read_text())[0]['bbox'] for file in (tmp_path / kind / 'predictions').iterdir()}
        for kind in ('onnx', 'torch')
    )
    assert sorted(found) == ['a.json', 'a_1.json', 'b.jpg.json', 'b.png.json'] and found == expected


def test_a_bad_image_of_several_costs_itself_only(exported, main, tmp_path):
    out = exported('resnet')[2]
    images = [tmp_path / f'{name}.png' for name in 'abcd']
    for image, size in zip(images, (64, 64, 20, 64), strict=True):
        Image.fromarray(np.full((size, size, 3), 90, np.uint8)).save(image)
    images[1].write_text('no image')
    with pytest.raises(SystemExit) as stopped:
        main(PREDICT, out, *images, '--bbox', 30, 30, 60, 60, '--out-dir', tmp_path / 'on')
    first, *listed = str(stopped.value).splitlines()
    assert first == 'predict_onnx.py: error: 2 of 4 images were left out:'
    assert listed == [
        f'  {images[1]}: not an image',
        f'  {images[2]}: box [30.0, 30.0, 60.0, 60.0] is outside the image, which is 20 wide and 20 high',
    ]
    assert sorted(file.name for file in (tmp_path / 'on/predictions').iterdir()) == ['a.json', 'd.json']


def test_what_concerns_all_images_is_refused_before_the_first(exported, main, tmp_path):
    out = exported('resnet')[2]
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / 'a.png')
    wrong = onnx.load(write_detector(tmp_path / 'yolox.onnx', 'with nms'))
    wrong.graph.output.pop(0)
    onnx.save(wrong, tmp_path / 'yolox.onnx')
    images = tmp_path / 'a.png', tmp_path / 'a.png'
    for words, message in (
        (['gone.png', '--out', '/proc/x.json'], '--out /proc/x.json: cannot be written to: '),
        (['gone.png', '--out', tmp_path], f'--out {tmp_path}: is a folder, allowed: a file'),
        (['gone.png', '--out-dir', '/proc/x'], '--out-dir /proc/x: cannot be written to: '),
        (['gone.png', '--out-dir', tmp_path / 'a.png'], f'--out-dir {tmp_path / "a.png"}: cannot be written to: '),
        ([*images, '--out-dir', tmp_path / 'on', '--bbox', 5, 5, 5, 9], r'box=\[5.0, 5.0, 5.0, 9.0\], allowed'),
        ([*images, '--out-dir', tmp_path / 'on', '--det-model', tmp_path / 'yolox.onnx'], '.*outputs of the shapes'),
    ):
        with pytest.raises(SystemExit, match=f'^predict_onnx.py: error: {message}') as stopped:
            main(PREDICT, out, *words)
        assert '\n' not in str(stopped.value)


@pytest.mark.slow
def test_a_whole_photograph_has_the_joints_of_the_inferencer(main, tmp_path):
    model = next(iter(shipped_models().values()))
    photograph = repo_root() / 'demo' / 'images' / 'skier.jpg'
    main(TOOL, model.config, model.checkpoint, '--out', tmp_path / 'shipped.onnx')
    inferencer = PoseInferencer(device='cpu')
    for flags, options in (((), {}), (('--no-second-pass',), dict(second_pass=False))):
        main(PREDICT, tmp_path / 'shipped.onnx', photograph, '--out-dir', tmp_path, *flags)
        (found,) = json.loads((tmp_path / 'predictions' / 'skier.json').read_text())
        (expected,) = next(inferencer(str(photograph), **options))['predictions'][0]
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(found['keypoints'], expected['keypoints'], atol=0.5)
        np.testing.assert_allclose(found['keypoint_scores'], expected['keypoint_scores'], atol=0.02)
        np.testing.assert_allclose(found['bbox'][0], expected['bbox'][0], atol=0.5)
        assert (found['bbox'][0] == [0, 0, 640, 425]) == bool(flags)


def test_a_photograph_is_turned_as_its_camera_noted(main, exported, tmp_path, capsys):
    out, exif = exported('resnet')[2], Image.Exif()
    exif[0x0112] = 6  # of a camera on its side: to be turned clockwise
    Image.fromarray(drawing()).save(tmp_path / 'lying.jpg', exif=exif)
    Image.fromarray(np.rot90(np.asarray(Image.open(tmp_path / 'lying.jpg')), -1)).save(tmp_path / 'upright.png')
    found = []
    for name in ('lying.jpg', 'upright.png'):
        main(PREDICT, out, tmp_path / name, '--out', tmp_path / 'out.json')
        found.append(json.loads((tmp_path / 'out.json').read_text())['people'])
    assert found[0] == found[1] and found[0][0]['bboxes'] == [0, 0, 184, 144]


def test_the_flip_test_can_be_switched_off(main, exported, tmp_path):
    out, found = exported('resnet')[2], {}
    Image.fromarray(drawing()).save(tmp_path / 'image.png')
    for flags in ((), ('--flip-test',), ('--no-flip-test',)):
        main(PREDICT, out, tmp_path / 'image.png', '--out', tmp_path / 'out.json', *flags)
        found[flags] = json.loads((tmp_path / 'out.json').read_text())['people']
    assert found[()] == found['--flip-test',] != found['--no-flip-test',]


def test_a_network_of_nan_gives_no_json(main, exported, onnx_pose, tmp_path):
    model = onnx.load(exported('resnet')[2])
    for weights in model.graph.initializer:
        array = onnx.numpy_helper.to_array(weights)
        if array.ndim == 4:
            weights.CopyFrom(onnx.numpy_helper.from_array(np.full_like(array, np.nan), weights.name))
    onnx.save(model, tmp_path / 'nan.onnx')
    Image.fromarray(drawing()).save(tmp_path / 'image.png')
    with pytest.raises(SystemExit, match='^predict_onnx.py: error: the network gives values that are not finite'):
        main(PREDICT, tmp_path / 'nan.onnx', tmp_path / 'image.png', '--out', tmp_path / 'out.json')
    assert not (tmp_path / 'out.json').exists()


def test_what_predict_onnx_cannot_read_is_one_line(main, exported, tmp_path):
    out, image = exported('resnet')[2], tmp_path / 'image.jpg'
    Image.fromarray(drawing()).save(image)
    (tmp_path / 'half.jpg').write_bytes(image.read_bytes()[:3000])
    (tmp_path / 'text.onnx').write_text('no model')
    for words, message in [
        ([out, tmp_path / 'half.jpg'], 'half.jpg: .*truncated'),
        ([out, tmp_path], f'{tmp_path}: Is a directory'),
        ([out, tmp_path / 'gone.jpg'], 'gone.jpg: No such file or directory'),
        ([tmp_path / 'text.onnx', image], 'text.onnx: onnxruntime cannot load it .*INVALID_PROTOBUF'),
        ([tmp_path, image], f'{tmp_path}: no such file'),
        ([out, image, '--box', 200, 0, 250, 40], r'box \[200.0, 0.0, 250.0, 40.0\] is outside the image, .* 144 wide'),
        ([out, image, '--out', image / 'x.json'], '--out .*x.json: cannot be written to: .*image.jpg is a file'),
    ]:
        with pytest.raises(SystemExit) as stopped:
            main(PREDICT, *words)
        text = str(stopped.value)
        assert re.match(f'predict_onnx.py: error: .*{message}', text) and '\n' not in text


def test_a_file_of_another_version_is_refused(exported, onnx_pose, tmp_path):
    assert onnx_pose.model.VERSION == VERSION
    model = onnx.load(exported('resnet')[2])
    description = json.loads({p.key: p.value for p in model.metadata_props}[KEY])
    for version in (VERSION + 1, None):
        onnx.helper.set_model_props(model, {KEY: json.dumps(dict(description, version=version))})
        onnx.save(model, tmp_path / 'x.onnx')
        with pytest.raises(ValueError, match=f'x.onnx has a description of version {version}, this .* reads {VERSION}'):
            onnx_pose.OnnxPose(tmp_path / 'x.onnx')


def test_errors_are_one_line_and_leave_nothing(main, exported, tmp_path):
    adversarial, weights, _ = exported('adversarial')
    resnet = exported('resnet')[0]
    out = tmp_path / 'x.onnx'
    damaged = tmp_path / 'damaged.pth'
    damaged.write_bytes(weights.read_bytes()[:1000])
    pickled = tmp_path / 'pickled.pth'
    torch.save(dict(torch.load(weights), meta=dict(odd=Namespace())), pickled)
    regression = tmp_path / 'regression.py'
    regression.write_text(
        f"_base_ = '{resnet}'\nmodel = dict(neck=dict(type='GlobalAveragePooling'), head=dict(_delete_=True, "
        "type='RegressionHead', in_channels=64, num_joints=16, "
        "decoder=dict(type='RegressionLabel', input_size=(64, 64))))\n"
    )
    before = sorted(tmp_path.iterdir())
    for args, message in [
        ([adversarial, weights, '--out', tmp_path / 'x.pth'], '--out .*x.pth: the name has to end in .onnx'),
        ([adversarial, tmp_path / 'gone.pth', '--out', out], 'gone.pth: no such file'),
        ([adversarial, damaged, '--out', out], 'damaged.pth: it is truncated'),
        ([adversarial, pickled, '--out', out], 'pickled.pth.*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'),
        ([tmp_path / 'gone.py', '--random-weights', '--out', out], 'gone.py does not exist'),
        ([adversarial, '--out', out], 'checkpoint: none, allowed: a checkpoint, or --random-weights'),
        ([adversarial, weights, '--random-weights', '--out', out], 'and --random-weights, allowed: a checkpoint'),
        ([adversarial, weights, '--out', '/proc/x.onnx'], '--out /proc: cannot be written to'),
        ([adversarial, '--random-weights', '--out', out, '--batches', 0, 2], '--batches 0: allowed are sizes from 1'),
        ([resnet, weights, '--out', out], 'does not match config .*missing in the file.*not of this model'),
        ([regression, '--random-weights', '--out', out], 'head=RegressionHead gives no maps'),
    ]:
        with pytest.raises(SystemExit, match=f'^export_onnx.py: error: .*{message}') as stopped:
            main(TOOL, *args)
        assert '\n' not in str(stopped.value)
    assert sorted(tmp_path.iterdir()) == before
