"""tools/deployment/export_onnx.py: each method's network, shrunken, through onnxruntime to mmpose's own joints."""

import json
import re
import sys

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import MODELS
from PIL import Image

from posestructs.deployment.onnx_export import KEY
from posestructs.testing import repo_root

TOOL = 'deployment/export_onnx.py'
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
            getattr(model, 'networks', dict)()
            torch.save(dict(meta=dict(), state_dict=model.state_dict()), checkpoint)
            main(TOOL, config, checkpoint, '--out', out, '--batches', 1, 4)
        return config, checkpoint, out

    return export


def picture():
    image = np.random.default_rng(0).integers(0, 255, (23, 18, 3)).astype(np.uint8)
    return np.array(Image.fromarray(image).resize((144, 184), Image.Resampling.BICUBIC))


@pytest.mark.parametrize('name', NETWORKS)
def test_without_mmpose_the_joints_are_mmposes(exported, onnx_pose, capsys, name):
    config, checkpoint, out = exported(name)
    told = capsys.readouterr().out
    for batch in (1, 4):
        found = re.search(rf'batch of {batch}: torch and onnxruntime differ by (\S+) at most', told)
        assert float(found.group(1)) < 1e-4
    assert f'{out}: ' in told and 'random weights' not in told

    model = init_model(str(config), str(checkpoint), device='cpu')
    image = picture()
    # windows of 64 x 64 whole pixels, so that no crop is interpolated
    boxes = np.array([[c - 25.6, d - 25.6, c + 25.6, d + 25.6] for c, d in ((40, 60), (90, 100), (140, 20))])
    expected = [sample.pred_instances for sample in inference_topdown(model, image[..., ::-1].copy(), boxes)]
    network = onnx_pose.OnnxPose(out, threads=1)
    found = network(image, boxes, flip_test=True)
    assert network.joints == [model.dataset_meta['keypoint_id2name'][i] for i in range(len(network.joints))]
    assert set(found) <= set(expected[0].keys())
    assert ('keypoints_occluded' in found) == (name == 'adversarial') == ('keypoints_occluded' in expected[0])
    for i, one in enumerate(expected):
        np.testing.assert_allclose(found['keypoints'][i], one.keypoints[0], atol=0.02)
        np.testing.assert_allclose(found['keypoint_scores'][i], one.keypoint_scores[0], atol=1e-4)
        for key in {'keypoints_occluded', 'pose_scores'} & set(found):
            np.testing.assert_allclose(found[key][i], np.ravel(one[key]), atol=1e-3)
    assert np.ptp(found['keypoints'], axis=0).max() > 10


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
    Image.fromarray(picture()).save(tmp_path / 'image.png')
    box = ['--box', 20, 30, 100, 120]
    done = command('deployment/predict_onnx.py', out, 'image.png', *box, *box, '--flip-test', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found['joints']) == 16 and len(found['people']) == 2
    assert np.array(found['people'][0]['keypoints']).shape == (16, 2)
    assert found['people'][0] == found['people'][1] and found['people'][0]['bboxes'] == [20, 30, 100, 120]
    (tmp_path / 'text.png').write_text('no image')
    done = command('deployment/predict_onnx.py', out, 'text.png', cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith('predict_onnx.py: error: cannot identify image file')


def test_errors_are_one_line_and_leave_nothing(main, exported, tmp_path):
    adversarial, weights, _ = exported('adversarial')
    resnet = exported('resnet')[0]
    out = tmp_path / 'x.onnx'
    damaged = tmp_path / 'damaged.pth'
    damaged.write_bytes(weights.read_bytes()[:1000])
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
        ([tmp_path / 'gone.py', '--out', out], 'gone.py does not exist'),
        ([adversarial, '--out', out, '--batches', 0, 2], '--batches 0: allowed are sizes from 1'),
        ([resnet, weights, '--out', out], 'is of another config than .*missing in the file.*not of this model'),
        ([regression, '--out', out], 'head=RegressionHead gives no maps'),
    ]:
        with pytest.raises(SystemExit, match=f'^export_onnx.py: error: .*{message}'):
            main(TOOL, *args)
    assert sorted(tmp_path.iterdir()) == before
