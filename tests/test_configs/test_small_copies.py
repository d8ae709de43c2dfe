"""Small copies of every config: the same registered parts, a training step that updates all of them, predictions."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.runner import Runner
from mmpose.registry import MODELS

from tests.helpers import repo_root
from tests.helpers.shrink import shrink, types_of

ROOT = repo_root() / 'configs'
CONFIGS = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob('*.py') if '_base_' not in p.parts)


WIDTHS = {'channels', 'in_channels', 'out_channels', 'base_channels', 'stem_channels', 'stage_channels', 'num_channels'}
WIDTHS |= {f'{part}_channels' for part in ('part', 'fc6', 'shared', 'background', 'hidden', 'deconv_out')}
WIDTHS |= {'feat_channel', 'num_groups'}
IMAGES = {'input_size', 'heatmap_size'}
BATCHES = {'batch_size', 'num_workers', 'persistent_workers'}
DATA = {'data_root', 'ann_file', 'headbox_file', 'bbox_file', 'num_samples', 'checkpoint'}


def changed(one, other):
    """Names of the keys whose values differ, in whatever depth."""
    if isinstance(one, dict) and isinstance(other, dict):
        values = {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys()}
        return set().union(*(changed(a, b) if deep(a, b) else {key} for key, (a, b) in values.items() if a != b))
    return set().union(*(changed(a, b) for a, b in zip(one, other, strict=True) if a != b))


def deep(a, b):
    """Two dicts, or two lists of them."""
    both = [a, b]
    if all(isinstance(x, (list, tuple)) for x in both):
        both = [item for x in both for item in x]
    return bool(both) and all(isinstance(x, dict) for x in both)


@pytest.mark.parametrize('name', CONFIGS)
def test_a_small_copy_has_the_same_parts(name, load_config, tiny_folder):
    full = load_config(name)
    small = shrink(full, tiny_folder)
    assert types_of(small) == types_of(full) > {full.model.type, full.model.head.type, full.codec.type}
    different = changed(full._cfg_dict.to_dict(), small._cfg_dict.to_dict())
    assert different <= WIDTHS | {'num_stacks'} | IMAGES | BATCHES | DATA and 'batch_size' in different


@pytest.mark.parametrize(
    'name', [name if '2x56_stick' in name else pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS]
)
def test_a_small_copy_trains_and_predicts(name, load_config, tiny_folder):
    small = shrink(load_config(name), tiny_folder)
    torch.manual_seed(0)
    model = MODELS.build(small.model)
    model.init_weights()
    take_step(model, small)
    predict_and_score(model, small)


def take_step(model, config):
    """One batch of the training data; every network that has an optimizer learns."""
    optim = build_optim_wrapper(model, config.optim_wrapper)
    optim.initialize_count_status(model, 0, 10)
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    logged = model.train_step(batch, optim)
    losses = {key: value for key, value in logged.items() if 'loss' in key}
    assert losses and all(torch.as_tensor(value).isfinite().all() for value in losses.values())
    moved = {key for key, value in model.state_dict().items() if not torch.equal(before[key], value)}
    names = list(optim.keys()) if isinstance(optim, OptimWrapperDict) else []
    neck = {'neck'} if getattr(model, 'neck', None) is not None and list(model.neck.parameters()) else set()
    networks = {'backbone', 'head', *neck, *(f'discriminators.{name}' for name in names if name != 'generator')}
    assert networks <= {'.'.join(key.split('.')[:depth]) for key in moved for depth in (1, 2)}
    assert {key.removeprefix('loss_adv_') for key in losses if key.startswith('loss_adv_')} == {*names} - {'generator'}


def predict_and_score(model, config):
    """One batch of the test data, through the config's own metrics."""
    loader = Runner.build_dataloader(config.test_dataloader, seed=0)
    batch = next(iter(loader))
    model.eval()
    found = model.test_step(batch)
    joints = loader.dataset.metainfo['num_keypoints']
    for sample in found:
        assert sample.pred_instances.keypoints.shape == (1, joints, 2)
        assert math.isfinite(sample.pred_instances.keypoints.sum())
    evaluator = Evaluator(config.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    evaluator.process(data_samples=found, data_batch=batch)
    assert evaluator.evaluate(len(found))
