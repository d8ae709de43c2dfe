"""A discriminator that is kept gives keypoints_correct in predictions, checkpoints and exported networks."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from posestructs.apis.persons import instance_dicts
from posestructs.deployment import MapsNetwork, load_generator
from posestructs.utils.discriminator_weights import kept_discriminator, strip_discriminators
from posestructs.utils.publishing import network_weights
from posestructs.utils.usage import UsageError
from tests.helpers import adversarial_toy as toy

META = dict(dataset_meta=dict(dataset_name='named'))


def build(**changes):
    """A model in float64 before its training, with weights that are not near 0."""
    torch.manual_seed(0)
    model = MODELS.build(toy.config(**dict(dict(keep='pose'), **changes))).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def samples(count=2):
    out = []
    for _ in range(count):
        sample = PoseDataSample(
            metainfo=dict(
                input_center=np.array([16, 16]),
                input_scale=np.array([32, 32]),
                input_size=(32, 32),
                flip_indices=[1, 0, 2, 3],
            )  # fmt: skip
        )
        sample.gt_instances = InstanceData(bboxes=np.array([[0, 0, 32, 32]]), bbox_scores=np.ones(1))
        out.append(sample)
    return out


@pytest.fixture
def images():
    return toy.batch(count=2)['inputs']


@torch.no_grad()
@pytest.mark.parametrize('flip', [False, True])
def test_probabilities_are_the_scores_of_the_decoded_maps(images, flip):
    model = build(test_cfg=dict(flip_test=flip))
    maps = model.head.forward(model.extract_feat(images))[-1]
    if flip:
        mirrored = model.head.forward(model.extract_feat(images.flip(-1)))[-1].flip(-1)
        maps = (maps + mirrored[:, [1, 0, 2, 3, 5, 4, 6, 7]]) / 2
    expected = 1 / (1 + np.exp(-model.discriminators['pose'](maps, images).numpy()))
    found = model.predict(images, samples())
    for sample, one in zip(found, expected, strict=True):
        np.testing.assert_allclose(sample.pred_instances.keypoints_correct, one[None], rtol=1e-5)
        np.testing.assert_allclose(sample.pred_instances.keypoints_visible, one[None], rtol=1e-5)
        assert 'pred_fields' not in sample
        assert instance_dicts(sample)[0]['keypoints_correct'] == pytest.approx(one.tolist(), rel=1e-5)
    assert np.ptp(expected) > 0.01


@torch.no_grad()
def test_maps_are_returned_where_they_are_asked_for(images):
    found = build(test_cfg=dict(output_heatmaps=True)).predict(images, samples())
    assert found[0].pred_fields.heatmaps.shape == (toy.JOINTS, 8, 8)


def test_only_the_kept_one_is_part_of_the_model_until_training():
    model = build()
    assert list(model.discriminators) == ['pose']
    assert list(model.networks()) == ['generator', 'pose', 'confidence']
    kept = model.discriminators['pose']
    model.attach_discriminators()
    assert list(model.discriminators) == ['pose', 'confidence'] and model.discriminators['pose'] is kept
    assert next(model.discriminators['confidence'].parameters()).dtype == torch.float64
    losses = model.train_step(toy.batch(), toy.optimizers(model))
    assert {'pose.loss_fake', 'confidence.loss_fake'} <= losses.keys()


def test_checkpoints_of_a_run_and_stripped_ones_load(images):
    trained = build(keep=None)
    trained.attach_discriminators()
    full = dict(meta=dict(), state_dict=trained.state_dict())
    stripped = strip_discriminators(full, keep='pose')['state_dict']
    assert {name.split('.')[1] for name in stripped if name.startswith('discriminators.')} == {'pose'}
    assert list(network_weights(full, keep='pose')) == list(stripped)
    for state in (full['state_dict'], stripped):
        model = build()
        result = model.load_state_dict(dict(state), strict=True)
        assert not result.missing_keys and not result.unexpected_keys
        for name, value in model.discriminators['pose'].state_dict().items():
            assert torch.equal(value, trained.discriminators['pose'].state_dict()[name])
    with pytest.raises(ValueError, match="keep='pose', and the checkpoint lacks"):
        build().load_state_dict(strip_discriminators(full)['state_dict'])
    with pytest.raises(ValueError, match="keep='limbs', allowed: confidence, pose"):
        strip_discriminators(full, keep='limbs')


def test_the_kept_name_is_read_from_the_config_of_a_run():
    text = Config(dict(model=toy.config(keep='pose'))).pretty_text
    assert kept_discriminator(dict(meta=dict(cfg=text))) == 'pose'
    for other in (Config(dict(model=toy.config())).pretty_text, 'no python (', None):
        assert kept_discriminator(dict(meta=dict(cfg=other))) is None


@torch.no_grad()
def test_exported_network(tmp_path, images):
    onnx_export = pytest.importorskip('posestructs.deployment.onnx_export')
    cfg, path = Config(dict(model=toy.config(keep='pose'))), tmp_path / 'x.pth'
    model = build()
    torch.save(dict(meta=META, state_dict=model.float().state_dict()), path)
    network = MapsNetwork(load_generator(cfg, str(path))).eval()
    maps, correct = network(images.float())
    torch.testing.assert_close(correct, model.discriminators['pose'](maps, images.float()).sigmoid())
    data = onnx_export.export_network(network, (32, 32), dict(joints=['a']))
    found = onnx_export.differences(network, data, (32, 32), (1, 3))
    assert all(one.largest < 1e-4 for one in found)
    names = [output.name for output in onnx_export.open_session(data).get_outputs()]
    assert names == ['maps', 'keypoints_correct']
    # a checkpoint without the discriminator's weights is refused in one line
    torch.save(dict(meta=META, state_dict=strip_discriminators(torch.load(path))['state_dict']), path)
    with pytest.raises(UsageError, match="keep='pose', and the checkpoint lacks"):
        load_generator(cfg, str(path))


def test_refused_names(tmp_path):
    for name in ('confidence', 'gone'):
        with pytest.raises(ValueError, match=f"keep='{name}', allowed: 'pose'"):
            build(keep=name)
    with pytest.raises(ValueError, match="keep='pose', allowed: "):
        build(discriminators=None)
    fields = dict(
        version=1, joints=list('abcd'), method='platt', curves=[[1, 0]] * 4, criterion='x', fingerprint='x',
        flip_test=False, source='', report={},
    )  # fmt: skip
    path = tmp_path / 'calibration.json'
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match='both give keypoints_correct'):
        build(test_cfg=dict(calibration=str(path)))
