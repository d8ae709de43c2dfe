"""Configs of the recipe for published checkpoints, weight by weight against the models of mmpose's own configs."""

import re
from pathlib import Path

import mmpose
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import load_state_dict
from mmpose.registry import MODELS

import posestructs  # noqa: F401  registers the neck
from posestructs.utils.weights_fit import compare_weights
from tests.helpers import repo_root
from tests.test_docs import check_docs

PAGE = repo_root() / 'docs' / 'recipes' / 'published-checkpoint.md'
CONFIGS = [text for _, kind, text in check_docs.code(PAGE) if kind == 'python' and '_base_ = ' in text]


@pytest.fixture(scope='module', params=CONFIGS, ids=['hrnet', 'rtmpose'])
def models(request):
    """Config of the page, its model, and the model of the mmpose config that it inherits, with random weights."""
    init_default_scope('mmpose')
    torch.manual_seed(0)
    cfg = Config.fromstring(request.param, '.py')
    published = get_config(re.search(r"_base_ = '(mmpose::\S+)'", request.param)[1])
    published.model.backbone.pop('_scope_', None)  # mmdet, which is not needed
    published.model.backbone.init_cfg = None
    plain, model = (MODELS.build(each.model).eval() for each in (published, cfg))
    return cfg, model, plain


@pytest.mark.parametrize('text', CONFIGS, ids=['hrnet', 'rtmpose'])
def test_the_address_is_the_one_in_the_model_index_of_mmpose(text):
    base = Path(re.search(r"_base_ = 'mmpose::(\S+)'", text)[1])
    indices = (Path(mmpose.__file__).parent / '.mim' / 'configs' / base.parent).glob('*.yml')
    models = [model for index in indices for model in yaml.safe_load(index.read_text())['Models']]
    (address,) = [model['Weights'] for model in models if model['Config'] == f'configs/{base}']
    assert Config.fromstring(text, '.py').load_from == address


def test_weights_of_backbone_and_head_are_loaded_and_those_of_the_neck_missing(models):
    _, model, plain = models
    state = plain.state_dict()
    misfit = compare_weights(model.state_dict(), state)
    neck = [name for name in model.state_dict() if name.startswith('neck.')]
    assert misfit.missing == neck and not misfit.unexpected and not misfit.other_shape
    assert misfit.count_by_network() == f'{len(neck)} of neck'

    load_state_dict(model, state)
    loaded = model.state_dict()
    assert {name.partition('.')[0] for name in state} == {'backbone', 'head'}
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_training_starts_at_the_predictions_of_the_published_model(models):
    cfg, model, plain = models
    load_state_dict(model, plain.state_dict())
    width, height = cfg.codec.input_size
    image = torch.randn(1, 3, height, width)

    def outputs(model):
        with torch.no_grad():
            return list(model.head(model.extract_feat(image)))

    expected = outputs(plain)
    assert all(torch.equal(a, b) for a, b in zip(outputs(model), expected, strict=True))
    assert all(value.std() > 0 for value in expected)
    # the neck is in the path
    torch.nn.init.normal_(model.neck.fuse.weight)
    assert not any(torch.equal(a, b) for a, b in zip(outputs(model), expected, strict=True))
    torch.nn.init.zeros_(model.neck.fuse.weight)


def test_renamed_and_missing_weights_are_counted_and_named(models):
    _, model, plain = models
    state = plain.state_dict()
    first, second, third = [name for name in state if name.startswith('backbone.')][:3]
    state[f'body.{first}'] = state.pop(first)
    del state[second], state[third]
    misfit = compare_weights(model.state_dict(), state)
    neck = len(list(model.neck.state_dict()))
    assert misfit.count_by_network() == f'3 of backbone, {neck} of neck'
    text = misfit.describe()
    assert f'missing in the file ({3 + neck}): {first}, {second}, {third}, ...' in text
    assert f'not of this model (1): body.{first}' in text


def test_stage_4_and_the_head_are_trained_and_the_neck_at_ten_times_their_rate(models):
    cfg, model, _ = models
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    names = {id(parameter): name for name, parameter in model.named_parameters() if parameter.requires_grad}
    groups = {names[id(p)]: group for group in optimizer.param_groups for p in group['params']}
    assert {name.split('.')[1] for name in groups if name.startswith('backbone.')} == {'stage4'}
    lr = cfg.optim_wrapper.optimizer.lr
    for name, group in groups.items():
        assert group['lr'] == pytest.approx(10 * lr if name.startswith('neck.') else lr)
    if 'norm_decay_mult' in cfg.optim_wrapper.paramwise_cfg:
        decay = {name: group['weight_decay'] for name, group in groups.items()}
        assert decay['backbone.stage4.0.bn.weight'] == 0 < decay['backbone.stage4.0.conv.weight']
