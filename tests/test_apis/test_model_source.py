"""Resolution of config and checkpoint, and weights that must match."""

from argparse import Namespace
from collections import OrderedDict

import pytest
import torch
from mmengine.config import Config
from torch import nn

from posestructs.apis import PoseInferencer, ShippedModel, model_source
from posestructs.apis.model_source import (
    inference_pipeline,
    joints_of,
    load_weights,
    model_metainfo,
    objects_of,
    read_checkpoint,
    resolve_model,
)
from posestructs.deployment import load_generator
from posestructs.structures.metainfo import load_metainfo
from posestructs.utils.usage import UsageError


class Net(nn.Module):
    """The smallest model with all that a checkpoint may hold."""

    def __init__(self, width=3):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 1)


def load(state, **kwargs):
    model = Net()
    load_weights(model, state, 'file.pth', 'config.py', **kwargs)
    return model


def test_weights_that_fit():
    source = Net().state_dict()
    for checkpoint in (
        dict(state_dict=source),
        source,
        dict(state_dict={f'module.{key}': value for key, value in source.items()}),  # of DDP
        dict(state_dict={**source, 'discriminators.pose.weight': torch.zeros(1)}),
        dict(state_dict={key: value for key, value in source.items() if not key.endswith('num_batches_tracked')}),
        dict(state_dict={key: value.half() if value.is_floating_point() else value for key, value in source.items()}),
    ):
        model = load(checkpoint)
        torch.testing.assert_close(model.last.weight, source['last.weight'], atol=1e-3, rtol=1e-3)
        assert model.last.weight.dtype == torch.float32


def test_weights_that_do_not():
    source = OrderedDict(Net().state_dict())
    del source['last.bias'], source['first.bias']
    source['other.weight'] = torch.zeros(1)
    source['last.weight'] = torch.zeros(1, 5)
    with pytest.raises(ValueError) as caught:
        load(dict(state_dict=source))
    assert str(caught.value) == (
        'checkpoint file.pth does not match config config.py. Weights of another shape (1): last.weight (1, 5) in '
        'the file, (1, 3) in the model; missing in the file (2): first.bias, last.bias; not of this model (1): '
        'other.weight'
    )
    with pytest.raises(ValueError, match=r'missing in the file \(8\): first.weight, first.bias, norm.weight, \.\.\.$'):
        load({})


def test_weights_that_are_not_finite():
    for key, value in (
        ('first.weight', float('nan')),
        ('last.bias', float('inf')),
        ('norm.running_mean', float('nan')),
    ):
        source = Net().state_dict()
        source[key].view(-1)[0] = value
        with pytest.raises(UsageError, match=rf'checkpoint file.pth holds NaN or infinity, .* Weights \(1\): {key}'):
            load(dict(state_dict=source))


def test_files_that_hold_no_weights(apn, tmp_path):
    content = torch.load(apn.checkpoint)
    cfg, path = Config.fromfile(apn.config), tmp_path / 'odd.pth'
    for odd, message in (
        (dict(content, message_hub=Namespace()), 'can run code.*Namespace.*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1'),
        ([content], 'holds a list, allowed: a dict with state_dict'),
        (dict(content, state_dict=None), 'state_dict is a NoneType, allowed: a dict'),
        (dict(content, meta=None), 'meta is a NoneType, allowed: a dict'),
    ):
        torch.save(odd, path)
        for read in (lambda: PoseInferencer(cfg, path, device='cpu'), lambda: load_generator(cfg, str(path))):
            with pytest.raises(UsageError, match=f'(?s)checkpoint .*odd.pth.*{message}'):
                read()
    array = torch.rand(2)
    torch.save(dict(state_dict=dict(a=array)), path)
    torch.testing.assert_close(read_checkpoint(str(path))['state_dict']['a'], array)


@pytest.fixture
def shipped(tmp_path, monkeypatch, apn):
    models = {name: ShippedModel(name, apn.config, apn.checkpoint, '') for name in ('first', 'second')}
    monkeypatch.setattr(model_source, 'shipped_models', lambda: models)
    return models


def test_names_of_models(shipped, apn):
    for name in (None, 'first', 'second', apn.config, str(apn.config)):
        config, checkpoint = resolve_model(name, None)
        assert config.filename == str(apn.config)
        assert checkpoint == (str(apn.checkpoint) if name in (None, 'first', 'second') else None)
    given = Config(dict(model=dict(a=1), test_dataloader=dict(a=1), data_mode='topdown'))
    assert resolve_model(given.to_dict(), None)[0].to_dict() == given.to_dict()
    assert resolve_model(given, apn.checkpoint) == (given, str(apn.checkpoint))
    assert resolve_model('human', None) == ('human', None)  # of mmpose's zoo, perhaps
    config, _ = resolve_model(
        'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py', None
    )
    assert config.data_mode == 'topdown'


def test_configs_that_cannot_be(shipped, tmp_path):
    (tmp_path / 'bare.py').write_text('model = dict()\n')
    with pytest.raises(ValueError, match='sets no test_dataloader, data_mode'):
        resolve_model(tmp_path / 'bare.py', None)
    (tmp_path / 'up.py').write_text("model = dict(a=1)\ntest_dataloader = dict(a=1)\ndata_mode = 'bottomup'\n")
    with pytest.raises(ValueError, match="data_mode='bottomup', allowed: 'topdown'"):
        resolve_model(tmp_path / 'up.py', None)
    with pytest.raises(ValueError, match='sets no test_dataloader, data_mode'):
        resolve_model(Config(dict(model=dict(a=1))), None)
    with pytest.raises(ValueError, match=r'configs/nothing\.py does not exist'):
        resolve_model('mmpose::nothing.py', None)


def test_joints_of_data_sets_in_data_sets():
    lsp, flic = dict(type='LSPDataset'), dict(from_file='flic_11kpt.py')

    def joints(dataset, phase='train'):
        return joints_of(Config({f'{phase}_dataloader': dict(dataset=dataset)}))['num_keypoints']

    assert joints(lsp) == 14 and joints(lsp, 'test') == 14
    assert joints(dict(type='SkipDataset', datasets=[lsp, lsp])) == 14  # a wrapper of no type that is known
    assert joints(dict(type='RepeatDataset', dataset=dict(type='LSPDataset', metainfo=flic))) == 11
    assert joints(dict(type='CombinedDataset', metainfo=dict(from_file='mpii_occlusion.py'), datasets=[lsp])) == 16
    with pytest.raises(ValueError, match='no data set has metainfo, and the checkpoint has no dataset_meta'):
        joints(dict(type='RepeatDataset'))


class Head(nn.Module):
    def __init__(self, out_channels):
        super().__init__()
        self.out_channels = out_channels


def model_of(channels):
    model = nn.Module()
    model.head = Head(channels)
    return model


def test_joints_are_those_behind_a_converter():
    """Head first, then the arms without their shoulders; the flip pairs follow."""
    names = ['head_top', 'right_wrist', 'left_wrist', 'right_elbow', 'left_elbow']
    lsp = {name: i for i, name in enumerate(load_metainfo(dict(from_file='lsp.py'))['keypoint_id2name'].values())}
    convert = dict(type='KeypointConverter', num_keypoints=5, mapping=[(lsp[n], i) for i, n in enumerate(names)])
    steps = [dict(type='LoadImage'), convert, dict(type='GenerateTarget', encoder={}), dict(type='PackPoseInputs')]
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=dict(type='LSPDataset', pipeline=steps)),
            test_dataloader=dict(dataset=dict(type='LSPDataset', pipeline=steps)),
        )
    )
    saved = dict(meta=dict(dataset_meta=joints_of(Config(dict(test_dataloader=dict(dataset=dict(type='LSPDataset')))))))
    for checkpoint in (None, saved):
        metainfo = model_metainfo(cfg, model_of(5), checkpoint)
        assert list(metainfo['keypoint_id2name'].values()) == names
        assert list(metainfo['flip_indices']) == [0, 2, 1, 4, 3]
    with pytest.raises(UsageError, match='the head Head predicts 14 joints, the metainfo of the data .* has 5'):
        model_metainfo(cfg, model_of(14), saved)
    assert [step['type'] for step in inference_pipeline(cfg)] == ['LoadImage', 'PackPoseInputs']
    cfg.train_dataloader.dataset.pipeline[1].mapping = [(99, 0)]
    with pytest.raises(UsageError, match='takes joint 0 from joint 99, allowed: 0 to 13'):
        joints_of(cfg)


def test_what_a_detector_has_to_find(apn):
    hand = 'hand_2d_keypoint/topdown_heatmap/coco_wholebody_hand/td-hm_res50_8xb32-210e_coco-wholebody-hand-256x256.py'
    animal = 'animal_2d_keypoint/topdown_heatmap/ap10k/cspnext-m_udp_8xb64-210e_ap10k-256x256.py'
    configs = [resolve_model(f'mmpose::{name}', None)[0] for name in (hand, animal)]
    assert [objects_of(cfg) for cfg in configs] == ['hand', 'animal']
    assert objects_of(Config.fromfile(apn.config)) == 'human'
    face = dict(type='RepeatDataset', dataset=dict(type='WFLWDataset'))  # no dataset_type
    assert objects_of(Config(dict(test_dataloader=dict(dataset=face)))) == 'face'
    assert objects_of(Config(dict(dataset_type='DeepFashionDataset'))) == 'human'  # mmpose has none for clothes
