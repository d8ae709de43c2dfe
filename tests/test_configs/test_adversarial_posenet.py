"""Configs of Adversarial PoseNet beyond building: what an ablation changes, occluders, joint sets."""

import copy
import re

import numpy as np
import pytest
import torch
import yaml
from mmpose.registry import DATASETS, HOOKS, MODELS

from posestructs.utils import cli
from tests.helpers import data_root, needs_data, repo_root

FOLDER = repo_root() / 'configs' / 'adversarial_posenet'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))
GRID = 'apn_2x256_mpii-256x256'
SMALL = ('apn_2x56_lspet-mini-128x128', 'apn_2x56_stick-figure-64x64')


@pytest.fixture
def load(load_config):
    return lambda name: load_config(f'adversarial_posenet/{name}.py')


def build_on_nothing(config):
    with torch.device('meta'):
        return MODELS.build(config.model)


def differences(one, other, path=''):
    """Dotted keys whose values differ, without those of the same branch twice."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return {path} if one != other else set()
    keys = one.keys() | other.keys()
    return set().union(*(differences(one.get(k), other.get(k), f'{path}.{k}'.lstrip('.')) for k in keys))


@pytest.mark.parametrize(
    ('variant', 'changed', 'networks'),
    [
        ('multi-task', {'model.discriminators'}, []),
        (
            'single-task',
            {'model.discriminators', 'model.backbone.num_branches', 'model.head.multi_task'},
            [],
        ),
        (
            'single-task-d',
            {'model.backbone.num_branches', 'model.head.multi_task'},
            ['pose', 'confidence'],
        ),
        ('c', {'model.discriminators.pose'}, ['confidence']),
        ('p', {'model.discriminators.confidence'}, ['pose']),
        ('ungated', {'model.adversarial.gate'}, ['pose', 'confidence']),
        ('literal', {'model.adversarial.algorithm'}, ['pose', 'confidence']),
        ('non-saturating', {'model.adversarial.generator_loss'}, ['pose', 'confidence']),
    ],
)
def test_an_ablation_changes_one_thing(load, variant, changed, networks):
    base, config = load(GRID), load(f'{GRID}_{variant}')
    assert build_on_nothing(base).networks().keys() == {'generator', 'pose', 'confidence'}
    model = build_on_nothing(config)
    assert list(model.networks()) == ['generator', *networks]
    found = differences(base._cfg_dict.to_dict(), config._cfg_dict.to_dict())
    left_out = {f'optim_wrapper.{name}' for name in ('pose', 'confidence') if name not in networks}
    # variables of the config files stay behind in them
    assert {key for key in found if not key.startswith(('codec', 'train_pipeline'))} == changed | left_out
    if 'pose' in networks:
        settings = model.adversarial_loss
        assert settings.gate == (variant != 'ungated')
        assert (settings.generator_loss == 'non_saturating') == (variant == 'non-saturating')
        assert (model.algorithm == 'literal') == (variant == 'literal')
        assert model.networks()['pose'].with_occlusion == (variant != 'single-task-d')


@pytest.mark.parametrize('name', SMALL)
def test_siblings_have_the_same_budget_and_seed(load, name):
    base = load(name)
    for variant in ('multi-task', 'single-task'):
        found = differences(base._cfg_dict.to_dict(), load(f'{name}_{variant}')._cfg_dict.to_dict())
        assert all(key.startswith(('model.', 'optim_wrapper.')) for key in found), found
    assert base.randomness == dict(seed=0) and 'generator' in base.optim_wrapper


@pytest.mark.parametrize('name', SMALL)
def test_a_supervised_step_is_cheap(load, name):
    """Three times the forward pass of a 128 x 128 image is at most half a billion multiplications."""
    model = build_on_nothing(load(name))
    count = [0]

    def add(module, inputs, output):
        count[0] += module.weight.numel() * output.shape[2] * output.shape[3]

    convolutions = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    for module in convolutions:
        module.register_forward_hook(add)
    with torch.no_grad(), torch.device('meta'):
        model.head.forward(model.extract_feat(torch.zeros(1, 3, 128, 128)))
    assert len(convolutions) > 40 and 0.2e9 < 3 * count[0] < 0.5e9


@pytest.mark.parametrize('name', [name for name in NAMES if '4x512' in name])
def test_the_papers_schedule_and_sizes(load, name):
    config = load(name)
    assert config.train_cfg.max_epochs == (250 if 'lsp' in name else 230)
    rates = {key: member.optimizer for key, member in config.optim_wrapper.items() if key != 'constructor'}
    assert rates.keys() == {'generator', 'pose', 'confidence'}
    assert all(optimizer == dict(type='RMSprop', lr=2.5e-4) for optimizer in rates.values())
    # beside the paper: a warm-up, without which the second step of RMSprop undoes the initialisation
    assert config.param_scheduler == [dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False)]
    (augment,) = (step for step in config.train_pipeline if step.type == 'RandomBBoxTransform')
    assert augment.scale_factor == (0.75, 1.25) and (augment.rotate_factor, augment.rotate_prob) == (30, 1.0)
    model = build_on_nothing(config)
    assert (model.alpha, model.beta) == (1 / 220, 1 / 180)
    assert len(model.backbone.stacks) == len(model.head.stacks) == 4
    width = 512 if 'paper' in name else 256
    for discriminator in model.networks()['pose'], model.networks()['confidence']:
        assert discriminator.classifier[-1].in_channels == width and len(discriminator.stacks) == 1
        assert discriminator.num_joints == (14 if 'lsp' in name else 16)


@needs_data
def test_occluders_lie_on_training_persons_and_the_same_ones_on_test_persons(load):
    config = load(SMALL[0])
    np.random.seed(0)
    train = DATASETS.build(dict(config.train_dataloader.dataset, indices=40))
    samples = [train[i]['data_samples'] for i in range(40)]
    hidden = torch.stack([sample.gt_fields.heatmaps[14:].amax((1, 2)) > 0.5 for sample in samples])
    labelled = torch.cat([sample.gt_instance_labels.occlusion_weights for sample in samples])
    assert 0.05 < hidden[labelled > 0].float().mean() < 0.25
    assert not hidden[labelled == 0].any()

    test, again = (DATASETS.build(dict(config.test_dataloader.dataset, indices=20)) for _ in range(2))
    clean = DATASETS.build(dict(config.val_dataloader.dataset, indices=20))
    np.random.seed(1)
    first = [test[i] for i in range(20)]
    for i in reversed(range(20)):
        other = again[i]
        assert torch.equal(first[i]['inputs'], other['inputs'])
        assert not torch.equal(first[i]['inputs'], clean[i]['inputs'])
    occluded = np.concatenate([sample['data_samples'].gt_instances.keypoints_occluded for sample in first])
    assert set(np.unique(occluded)) == {0, 1} and 0.15 < occluded.mean() < 0.35


@needs_data
def test_three_joint_sets_become_lsps(load):
    config = load('apn_4x512_lsp-256x256')
    whole = copy.deepcopy(config.train_dataloader.dataset)
    lsp, lspet, mpii = whole.datasets
    lsp.update(data_root=str(data_root() / 'lsp-annotations'), check_images=False)
    lspet.update(data_root=str(data_root() / 'lspet-raw-sample'), check_images=False)
    mpii.update(data_root=str(data_root() / 'mpii-sample'), ann_file='test_mpii.json', occlusion_file=None)
    dataset = DATASETS.build(whole)
    assert len(dataset) == 1000 + 10000 + 5 and dataset.metainfo['num_keypoints'] == 14
    names = {number: name for name, number in dataset.metainfo['keypoint_name2id'].items()}
    person = DATASETS.build(dict(mpii, pipeline=[]))
    theirs = {name: number for name, number in person.metainfo['keypoint_name2id'].items()}
    # the neck of LSP is MPII's upper neck; all others have the same name
    order = [theirs[{'neck': 'upper_neck'}.get(names[k], names[k])] for k in range(14)]
    for i in range(5):
        converted, raw = dataset.get_data_info(11000 + i), person.get_data_info(i)
        labelled = raw['keypoints_visible'][:, order] > 0
        np.testing.assert_array_equal(converted['keypoints'][labelled], raw['keypoints'][:, order][labelled])
        np.testing.assert_array_equal(converted['keypoints_visible'][..., 0] > 0, labelled)
    assert dataset.get_data_info(0)['keypoints_occluded'].shape == (1, 14)
    assert dataset.get_data_info(1000)['keypoints_occluded'] is None
    # images of LSP itself are not to be had here
    np.random.seed(0)
    for index in (1003, 11001):
        sample = dataset[index]['data_samples']
        assert sample.gt_fields.heatmaps.shape == (28, 64, 64)
        assert sample.gt_instance_labels.keypoint_weights.shape == (1, 14)
        # neither says what is occluded, so the occlusion maps weigh nothing
        assert sample.gt_instance_labels.occlusion_weights.sum() == 0
        assert sample.gt_instance_labels.keypoint_weights.sum() > 8


def test_the_tables_name_every_config_and_nothing_else():
    index = yaml.safe_load((FOLDER / 'metafile.yml').read_text())
    (collection,) = index['Collections']
    assert (repo_root() / collection['README']).is_file()
    assert [model['Config'] for model in index['Models']] == [
        f'configs/adversarial_posenet/{model["Name"]}.py' for model in index['Models']
    ]
    assert [model['Name'] for model in index['Models']] == NAMES
    assert {model['In Collection'] for model in index['Models']} == {collection['Name']}
    text = (FOLDER / 'README.md').read_text()
    variants = {name.removeprefix(f'{GRID}_') for name in NAMES if name.startswith(f'{GRID}_')}
    assert set(re.findall(r'^\| `([a-z-]+)` \|', text, re.MULTILINE)) == variants
    for link in re.findall(r'\]\((\.\./[^)]+)\)', text):
        assert (FOLDER / link.partition('#')[0]).exists(), link
    for name in re.findall(r'apn_[\w-]+(?:\{[^}]*\})?(?=\.py)', text):
        stem, _, choices = name.partition('{')
        assert {stem + choice for choice in choices.rstrip('}').split(',')} <= set(NAMES)


def test_the_pages_example_changes_the_hooks(tmp_path):
    page = (repo_root() / 'docs' / 'methods' / 'adversarial_posenet.md').read_text()
    (example,) = (code for code in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if '_base_' in code)
    (tmp_path / 'example.py').write_text(example)
    hooks = {hook.type: hook for hook in cli.load_config(str(tmp_path / 'example.py')).custom_hooks}
    assert HOOKS.build(hooks['AdversarialScheduleHook']).ramp == 20
    assert HOOKS.build(hooks['DiscriminatorBalanceHook']).skip
    assert 'FiniteLossHook' in hooks and 'FakeLabelHook' in hooks
