"""Which model is meant, and weights that must fit."""

from collections import OrderedDict

import pytest
import torch
from mmengine.config import Config
from torch import nn

from posestructs.apis import ShippedModel, model_source
from posestructs.apis.model_source import check_device, joints_of, load_weights, resolve_model


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
        'checkpoint file.pth is of another config than config.py. Weights of another shape (1): last.weight (1, 5) in '
        'the file, (1, 3) in the model; missing in the file (2): first.bias, last.bias; not of this model (1): '
        'other.weight'
    )
    with pytest.raises(ValueError, match=r'missing in the file \(8\): first.weight, first.bias, norm.weight, \.\.\.$'):
        load({})


def test_devices():
    assert check_device(None) is None and check_device('cpu') == 'cpu'
    for device in ('cuda:77', 'gpu', 'cuda:x'):
        with pytest.raises(ValueError, match=f"device '{device}'.* allowed here: cpu"):
            check_device(device)


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
