"""Configs of structured feature learning beyond building: rates, sizes, what an ablation changes."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmpose.registry import KEYPOINT_CODECS, MODELS, PARAM_SCHEDULERS

from tests.helpers import repo_root

FOLDER = repo_root() / 'configs' / 'structured_feature'
BASES = sorted(p.stem for p in FOLDER.glob('*.py') if not p.stem.endswith(('_up', '_down', '_none')))
FULL_SIZE = [name for name in BASES if 'fcnvgg' in name]


@pytest.fixture
def load(load_config):
    return lambda name: load_config(f'structured_feature/{name}.py')


def build_on_nothing(config):
    config.merge_from_dict({'model.backbone.init_cfg': None})
    with torch.device('meta'):
        return MODELS.build(config.model)


@pytest.mark.parametrize('name', FULL_SIZE)
def test_learning_rates_and_decay_of_every_parameter(load, name):
    """Of the release: new layers x10, their biases x20, decay of message kernels x2."""
    config = load(name)
    model = build_on_nothing(config)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    found = {group['params'][0]: (group['lr'] / 2e-3, group['weight_decay'] / 5e-4) for group in groups}
    assert all(len(group['params']) == 1 and group['momentum'] == 0.9 for group in groups)

    messages = {p for directed in (model.neck.up, model.neck.down) for p in directed.parameters()}
    stages = set(model.backbone.features.parameters())
    kinds = set()
    for parameter_name, parameter in model.named_parameters():
        is_bias = parameter_name.rpartition('.')[2] == 'bias' or (parameter in messages and parameter.ndim == 2)
        rate = 1 if parameter in stages else 20 if is_bias else 10
        decay = 2 if parameter in messages and not is_bias else 1
        assert found[parameter] == pytest.approx((rate, decay)), parameter_name
        kinds.add((rate, decay))
    assert kinds == {(1, 1), (10, 1), (20, 1), (10, 2)} and len(messages) > 0


def test_the_rate_falls_tenfold_every_5000_iterations(load):
    config = load('sfl-release_fcnvgg_lsp-336x336')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-3)
    (schedule,) = config.param_scheduler
    schedule = PARAM_SCHEDULERS.build(dict(schedule), default_args=dict(optimizer=optimizer))
    rates = []
    for _ in range(config.train_cfg.max_iters):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    assert [rates[i] for i in (0, 4999, 5000, 9999, 10000, 14999)] == pytest.approx(
        [2e-3, 2e-3, 2e-4, 2e-4, 2e-5, 2e-5]
    )
    loader = config.train_dataloader
    assert (loader.batch_size, loader.sampler.type) == (16, 'InfiniteSampler')
    assert 3250 % config.train_cfg.val_interval == 0, 'where the release was best'
    assert config.randomness == dict(seed=None, diff_rank_seed=True), 'else all GPUs sample the same cells'


def test_sizes_of_the_release(load):
    """40.2 M parameters of messages, 6.8 M of fc7, 25.7 M of fc6; 339 maps; 42x42 in training, 56x56 in a test."""
    config = load('sfl-release_fcnvgg_lsp-336x336')
    model = build_on_nothing(config)

    def millions(*modules):
        return round(sum(p.numel() for module in modules for p in module.parameters()) / 1e6, 1)

    assert millions(model.neck.up, model.neck.down) == 40.2
    assert (millions(model.neck.fc7), millions(model.backbone.fc6)) == (6.8, 25.7)
    with torch.no_grad(), torch.device('meta'):
        for side, cells in ((336, 42), (448, 56)):
            logits = model.head.forward(model.extract_feat(torch.zeros(1, 3, side, side)))
            assert logits.shape == (1, 26 * 13 + 1, cells, cells)


MAPS = {
    # one type per part
    'sfl-paper_fcnvgg_flic-448x448': 18 + 1,
    'sfl-paper_fcnvgg_lsp-448x448': 26 + 1,
    'sfl-release_fcnvgg_flic-336x336': 18 * 13 + 1,
    'sfl-release_fcnvgg_lsp-336x336': 26 * 13 + 1,
    'sfl-release_fcnvgg_lspet-336x336': 26 * 13 + 1,
}


@pytest.mark.parametrize('name', BASES)
def test_targets_fit_the_prediction(load, name):
    config = load(name)
    decoder = KEYPOINT_CODECS.build(config.model.head.decoder)
    assert decoder.num_channels == MAPS.get(name, decoder.num_channels)
    dataset = config.train_dataloader.dataset
    for one in dataset.get('datasets', [dataset]):
        encoder = KEYPOINT_CODECS.build(next(step.encoder for step in one.pipeline if step.type == 'GenerateTarget'))
        assert (encoder.tree, encoder.num_types) == (decoder.tree, decoder.num_types)
        np.testing.assert_array_equal(encoder.cell_size, decoder.cell_size)
        (width, height), sizes = encoder.input_size, [s.input_size for s in one.pipeline if s.type == 'TopdownAffine']
        assert sizes == [(width, height)]


def crop(pipeline, person):
    """A person after the steps of a pipeline that are not random."""
    steps = [step for step in pipeline if step.type in ('GetBBoxCenterScale', 'TopdownAffine')]
    return Compose([ConfigDict(step) for step in steps])(person)['transformed_keypoints'][0]


@pytest.mark.parametrize('name', FULL_SIZE)
def test_persons_and_offsets_are_as_large_in_a_test_as_in_training(load, name):
    config = load(name)
    train, val = config.train_dataloader.dataset, config.val_dataloader.dataset
    train = train.get('datasets', [train])[0]
    person = dict(
        img=np.zeros((200, 200, 3), np.uint8),
        bbox=np.float32([[50, 40, 120, 160]]),
        keypoints=np.float32([[[50, 40], [120, 160], [90, 70]]]),
        keypoints_visible=np.ones((1, 3), np.float32),
    )
    seen, tested = (crop(data.pipeline, dict(person)) for data in (train, val))
    np.testing.assert_allclose(np.diff(seen, axis=0), np.diff(tested, axis=0), rtol=1e-5)

    encoder = KEYPOINT_CODECS.build(train.pipeline[-2].encoder)
    decoder = KEYPOINT_CODECS.build(config.model.head.decoder)
    if encoder.deformation is not None:
        seen, tested = (c.deformation.to_cells(c.input_size, c.heatmap_size) for c in (encoder, decoder))
        assert np.abs(seen).max() > 1
        np.testing.assert_allclose(seen, tested)


@pytest.mark.parametrize('name', sorted(p.stem for p in FOLDER.glob('*.py') if p.stem not in BASES))
def test_an_ablation_changes_the_direction_and_nothing_else(load, name):
    base, _, direction = name.rpartition('_')
    ours, full = load(name).to_dict(), load(base).to_dict()
    assert ours['model']['neck'].pop('direction') == direction
    assert full['model']['neck'].get('direction', 'both') == 'both'
    assert ours == full


def test_lsp_is_observer_centric_throughout(load):
    for name in (name for name in FULL_SIZE if 'lsp' in name):
        config = load(name)
        datasets = [
            loader.dataset for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader)
        ]
        for dataset in datasets:
            parts = [one for one in dataset.get('datasets', [dataset]) if one.type == 'LSPDataset']
            assert parts and {one.centric for one in parts} == {'observer'}


@pytest.mark.parametrize('name', [name for name in FULL_SIZE if 'release' in name])
def test_the_release_preset_is_the_releases(load, name):
    """Images without persons as many as persons, rotations by 9 degrees (LSP), a pyramid with a step of 2^(1/10)."""
    config = load(name)
    datasets = config.train_dataloader.dataset.datasets
    persons = dict(LSPDataset=11000 if 'lspet' in name else 1000, FLICDataset=3987)[datasets[0].type]
    backgrounds = [one for one in datasets if one.type == 'BackgroundDataset']
    # INRIA has 1,218 negative training images
    assert 0.9 < len(backgrounds) * 1218 / persons < 1.25
    for one in datasets:
        *_, target, _ = one.pipeline
        codec = KEYPOINT_CODECS.build(target.encoder)
        assert codec.unlabelled == ('background' if one in backgrounds else 'ignore')
        if 'lsp' in name:
            steps = [step.type for step in one.pipeline]
            assert 'RandomStepRotation' in steps and 'RandomBBoxTransform' not in steps
            assert one.pipeline[steps.index('RandomStepRotation')].step == 9
    scales = build_on_nothing(config).pyramid_scales
    assert scales[0] == 1
    np.testing.assert_allclose(np.divide(scales[:-1], scales[1:]), 2 ** (1 / 10))


@pytest.mark.parametrize('name', [name for name in FULL_SIZE if 'paper' in name])
def test_the_paper_preset_decodes_with_squared_distances(load, name):
    """A part that is as likely in two cells goes to the one nearer to its mean offset from its parent."""
    codec = KEYPOINT_CODECS.build(load(name).model.head.decoder)
    tree = codec.tree
    assert (codec.decode_method, codec.num_types, codec.scores) == ('max_sum', 1, 'log_probability')
    offsets = codec.deformation.to_cells(codec.input_size, codec.heatmap_size)[:, 0]
    cells = np.full((tree.num_parts, 2), (28, 4))
    for level in tree.levels[1:]:
        for part in level:
            cells[part] = np.round(cells[tree.parents[part]] + offsets[part])
    scores = torch.full((1, codec.num_channels, 56, 56), -12.0)
    for part, (x, y) in enumerate(cells):
        scores[0, part, y, x] = 0
    elbow = tree.names.index('right_elbow')
    x, y = cells[elbow]
    scores[0, elbow, y, x] = -0.1
    # more likely, but 25 cells away: 0.03 * 25^2 = 18.75 less
    scores[0, elbow, y, x + 25] = 0
    poses = codec.decode_poses(scores)
    joint = tree.joints.index('right_elbow')
    assert np.abs(poses.keypoints[0, joint].numpy() / 8 - cells[elbow]).max() <= 1
    argmax = KEYPOINT_CODECS.build(dict(load(name).model.head.decoder, decode='argmax'))
    assert argmax.decode_poses(scores).keypoints[0, joint, 0] / 8 > x + 20
