"""Rows of a grid differ in the model alone, and are as small as the grid demands."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import DATASETS, KEYPOINT_CODECS, MODELS

from benchmarks.grid import measures, training  # noqa: F401  registers what configs name
from benchmarks.grid.experiment import Settings, fingerprint, for_test_set, make_config, set_everywhere
from benchmarks.grid.grids import COMPARISONS, GRIDS
from benchmarks.grid.measures import complexity
from benchmarks.grid.rows import BY_NAME, MEAN_POSE, OCCLUDERS, PLAIN, control_trees
from benchmarks.grid.training import LoadCachedImage, preload
from posestructs.structures import build_tree
from tests.helpers import data_root


@pytest.fixture(autouse=True)
def data(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))


def config_of(budget, data, row, settings=None, seed=0):
    return make_config(GRIDS[budget][data], BY_NAME[row], seed, settings or Settings())


@pytest.mark.parametrize('budget,data', [(b, d) for b, grids in GRIDS.items() for d in grids])
def test_rows_share_data_schedule_and_persons(budget, data):
    grid = GRIDS[budget][data]
    shared = []
    for row in grid.rows:
        cfg = config_of(budget, data, row.name)
        loader, tests = cfg.train_dataloader, [for_test_set(cfg, name).test_dataloader for name in grid.test_sets]
        for dataset in (loader.dataset, *(test.dataset for test in tests)):
            for step in dataset.pipeline:
                step.pop('input_size', None)
        steps = [step for step in loader.dataset.pipeline if step.type != 'GenerateTarget']
        persons = {key: value for key, value in loader.dataset.items() if key != 'pipeline'}
        optimizers = cfg.optim_wrapper.get('generator', cfg.optim_wrapper)
        assert cfg.val_dataloader is None and cfg.model.test_cfg.flip_test
        assert all(step.type != 'RandomOccluder' for step in tests[0].dataset.pipeline)
        shared.append(
            Config(
                dict(
                    steps=steps,
                    persons=persons,
                    batch=loader.batch_size,
                    tests=[test.dataset.to_dict() for test in tests],
                    schedule=cfg.param_scheduler,
                    train=cfg.train_cfg,
                    optimizer=optimizers.optimizer,
                )
            ).pretty_text
        )
    assert len(set(shared)) == 1, 'rows differ in more than the model'


@pytest.mark.parametrize('budget,data', [(b, d) for b, grids in GRIDS.items() for d in grids])
def test_targets_are_made_by_the_codec_that_reads_the_prediction(budget, data):
    for row in GRIDS[budget][data].rows:
        cfg = config_of(budget, data, row.name)
        (step,) = (step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'GenerateTarget')
        # how joints are read off the maps is the decoder's own
        own = {'decode', 'deformation', 'deformation_weight', 'shift'}
        decoder = {key: value for key, value in cfg.model.get('head', cfg.codec).get('decoder', cfg.codec).items()}
        assert {k: v for k, v in decoder.items() if k not in own} == step.encoder.to_dict(), row.name


SMALL = [(data, row.name) for data in ('lspet-mini', 'lspet-mini-equal') for row in GRIDS['cpu'][data].rows]


@pytest.mark.parametrize('data,row', [(data, row) for data, row in SMALL if row != MEAN_POSE])
def test_multiply_adds_are_below_the_limit(data, row):
    found = complexity(config_of('cpu', data, row))
    assert 0.05 < found['gmacs'] <= GRIDS['cpu'][data].max_gmacs == 1.0
    if row == 'c-p':
        assert found['train_parameters'] > found['parameters']


def test_models_of_equal_cost_cost_at_most_as_much_as_the_hourglass_and_most_of_it():
    names = [row.name for row in GRIDS['cpu']['lspet-mini-equal'].rows if row.name != MEAN_POSE]
    gmacs = {name: complexity(config_of('cpu', 'lspet-mini-equal', name))['gmacs'] for name in names}
    limit = gmacs.pop('hourglass')
    assert all(limit / 2 < found <= limit for found in gmacs.values()), gmacs


def test_multiply_adds_of_a_hand_made_model():
    codec = dict(type='MSRAHeatmap', input_size=(64, 32), heatmap_size=(2, 1), sigma=1)
    head = dict(type='HeatmapHead', in_channels=512, out_channels=14, deconv_out_channels=None, decoder=codec)
    cfg = Config(
        dict(
            model=dict(type='TopdownPoseEstimator', backbone=dict(type='ResNet', depth=18), head=head),
        )
    )
    found = complexity(cfg)
    # ResNet-18 has 1.814 thousand million multiply-adds at 224 x 224, of which 0.5 are the classifier's thousandths
    area = (64 * 32) / 224**2
    assert found['gmacs'] == pytest.approx(1.8136 * area + 512 * 14 * 2 * 1 / 1e9, rel=0.01)
    assert found['parameters'] == found['train_parameters'] == 11_176_512 + 512 * 14 + 14


LARGE = [row.name for row in GRIDS['gpu']['lspet-mini'].rows if row.name != MEAN_POSE]
# mmpose's own models, whose checkpoints are larger
LARGE_FILES = {'resnet', 'hourglass', 'hrnet'}


@pytest.mark.parametrize('row', LARGE)
def test_rows_of_the_large_grid_have_twice_the_size_and_our_checkpoints_are_small(row):
    large = config_of('gpu', 'lspet-mini', row)
    assert large.codec.input_size == (256, 256) and large.codec.heatmap_size == (64, 64)
    assert large.model.head.decoder.heatmap_size == (64, 64)
    targets = [step for step in large.train_dataloader.dataset.pipeline if step.type == 'GenerateTarget']
    assert targets[0].encoder.heatmap_size == (64, 64) and targets[0].encoder.input_size == (256, 256)
    found = complexity(large)
    if row == 'hourglass':  # whose config is that of 128 x 128 otherwise, with 2.661
        assert found['gmacs'] == pytest.approx(4 * 2.661, rel=0.001)
    if row not in LARGE_FILES:  # weights and both moments of Adam, 4 bytes each
        assert 12 * found['train_parameters'] < 15 * 2**20 and 0.5 < found['gmacs'] < 4 * 2.661


def test_persons_of_test_sets_are_covered_before_the_crop():
    cfg = config_of('cpu', 'lspet-mini', 'hourglass')
    kinds = {
        name: [step.type for step in for_test_set(cfg, name).test_dataloader.dataset.pipeline]
        for name in (PLAIN, OCCLUDERS)
    }
    assert kinds[OCCLUDERS] == [
        'LoadCachedImage',
        'GetBBoxCenterScale',
        'RandomOccluder',
        'TopdownAffine',
        'PackPoseInputs',
    ]
    assert kinds[PLAIN] == [kind for kind in kinds[OCCLUDERS] if kind != 'RandomOccluder']


def test_fingerprint_tells_runs_apart_but_not_machines(monkeypatch):
    grid, row = GRIDS['cpu']['lspet-mini'], BY_NAME['resnet']
    known = dict(resnet=fingerprint(grid, row, 0, Settings()))
    first = known['resnet']
    assert fingerprint(grid, row, 0, Settings(workers=8, cache=False)) == first
    for place in ('/elsewhere', '/a/long/path/' * 20, '../shared/data'):
        monkeypatch.setenv('POSESTRUCTS_DATA', place)
        for name in ('resnet', 'hybrid'):
            known.setdefault(name, fingerprint(grid, BY_NAME[name], 0, Settings()))
            assert fingerprint(grid, BY_NAME[name], 0, Settings()) == known[name]
    others = [
        fingerprint(grid, row, 1, Settings()),
        fingerprint(grid, row, 0, Settings(epochs=5)),
        fingerprint(grid, row, 0, Settings(bf16=True)),
        fingerprint(grid, row, 0, Settings(options={'optim_wrapper.optimizer.lr': 1e-4})),
        fingerprint(grid, BY_NAME['tree-none'], 0, Settings()),
    ]
    assert len({first, *others}) == 6


def test_rows_that_two_grids_share_are_the_same_run():
    def same(one, other):
        names = {row.name: row for row in other.rows}
        shared = [row for row in one.rows if row.name in names]
        marks = ([fingerprint(grid, row, 0, Settings()) for row in shared] for grid in (one, other))
        assert other.name in one.shares
        return {row.name for row, a, b in zip(shared, *marks, strict=True) if a == b}

    small, wide = GRIDS['cpu']['lspet-mini'], GRIDS['cpu']['lspet-mini-equal']
    assert same(wide, small) == {MEAN_POSE, 'resnet', 'hourglass'}
    # their rows are compared with rows that were trained with the same code
    assert not GRIDS['structure']['lspet-mini'].shares and not GRIDS['structure']['lspet-mini-80x80'].shares


def test_sizes_are_set_wherever_they_are_stated():
    part = dict(codec=dict(input_size=(1, 1), sigma=2), steps=[dict(input_size=(1, 1)), dict(type='x')])
    set_everywhere(part, dict(input_size=(8, 4), heatmap_size=(2, 1), sigma=1))
    assert part == dict(codec=dict(input_size=(8, 4), sigma=1), steps=[dict(input_size=(8, 4)), dict(type='x')])


def test_images_are_kept_for_the_processes_that_load_them(tmp_path, monkeypatch):
    shutil.copytree(data_root() / 'lspet-mini', tmp_path / 'lspet-mini', ignore=shutil.ignore_patterns('images'))
    loader = config_of('cpu', 'lspet-mini', 'c-p', Settings(workers=2, epoch_images=4)).train_dataloader
    (tmp_path / 'lspet-mini' / 'images').mkdir()
    for file in (data_root() / 'lspet-mini' / 'images').iterdir():
        (tmp_path / 'lspet-mini' / 'images' / file.name).symlink_to(file.resolve())
    loader.dataset.data_root = str(tmp_path / 'lspet-mini')
    monkeypatch.setattr(LoadCachedImage, 'kept', {})
    dataset = DATASETS.build(loader.dataset)
    files = [Path(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))]
    preload(dataset)
    for file in files:
        file.unlink()
    # patches of the occluders come from memory too
    batches = list(Runner.build_dataloader(dict(loader, dataset=dataset, batch_size=2), seed=0))
    assert sorted(s.img_path for batch in batches for s in batch['data_samples']) == sorted(map(str, files))


def test_comparisons_name_rows():
    assert {name for c in COMPARISONS for name in (c.row, c.against)} <= set(BY_NAME)
    assert all(BY_NAME[row.decode_of].decode_of is None for row in BY_NAME.values() if row.decode_of)


def test_control_trees_have_other_edges_of_the_same_parts():
    true = build_tree(dict(from_file='lsp-26.py'))
    trees = {name: build_tree(cfg) for name, cfg in control_trees(dict(from_file='lsp-26.py')).items()}
    degrees = {name: sorted(np.bincount(np.ravel(tree.edges), minlength=26)) for name, tree in trees.items()}
    assert degrees['shuffled'] == sorted(np.bincount(np.ravel(true.edges), minlength=26))
    assert degrees['star'] == [1] * 25 + [25] and degrees['chain'] == [1] * 2 + [2] * 24
    neighbours = {frozenset(edge) for edge in true.edges}
    assert len(neighbours & {frozenset(edge) for edge in trees['shuffled'].edges}) < 6
    for tree in trees.values():
        assert (tree.names, tree.joints, tree.mirror) == (true.names, true.joints, true.mirror)
        np.testing.assert_array_equal(tree.weights, true.weights)
    assert control_trees(dict(from_file='lsp-26.py'), seed=1)['shuffled'] != control_trees(true)['shuffled']


def test_rows_of_the_structure_grid_differ_in_the_tree_or_the_width_at_equal_cost():
    grid = GRIDS['structure']['lspet-mini']
    names = ('tree-both', 'tree-shuffled', 'tree-star', 'tree-chain', 'tree-none-wide', 'tree-self')
    made = {name: config_of('structure', 'lspet-mini', name) for name in names}
    cost = {name: complexity(cfg)['gmacs'] for name, cfg in made.items()}
    none = complexity(config_of('structure', 'lspet-mini', 'tree-none'))['gmacs']
    assert none < 0.9 * cost['tree-both']
    assert all(found == pytest.approx(cost['tree-both'], rel=0.005) for found in cost.values())
    true = made['tree-both'].to_dict()
    for name in ('shuffled', 'star', 'chain'):
        cfg = made[f'tree-{name}']
        (step,) = (step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'GenerateTarget')
        model = MODELS.build(cfg.model)
        assert model.neck.tree == model.head.tree == build_tree(step.encoder.tree)
        plain = cfg.to_dict()
        set_everywhere(plain, dict(tree=dict(from_file='lsp-26.py')))
        assert plain == true
    # results of the rows that both grids have are taken over
    small = GRIDS['cpu']['lspet-mini']
    for row in grid.rows[:2]:
        assert fingerprint(grid, row, 0, Settings()) == fingerprint(small, row, 0, Settings())


@pytest.mark.parametrize('data,row', [('lspet-mini', 'tree-shuffled'), ('movenet', 'strong-shuffled')])
def test_each_seed_has_a_shuffle_of_its_own(data, row):
    trees = [build_tree(config_of('structure', data, row, seed=seed).model.neck.tree) for seed in (0, 1, 2)]
    true = build_tree(
        config_of('structure', data, row.replace('shuffled', 'both' if 'tree' in row else 'true')).model.neck.tree
    )
    edges = [frozenset(map(frozenset, tree.edges)) for tree in (true, *trees)]
    assert len(set(edges)) == 4
    assert len({tuple(sorted(np.bincount(np.ravel(tree.edges)))) for tree in (true, *trees)}) == 1


def share_of_messages(data, row, without):
    costs = [complexity(config_of('structure', data, name))['gmacs'] for name in (row, without)]
    return 1 - costs[1] / costs[0]


def test_share_of_the_messages_is_raised_in_small_maps_and_lowered_in_large_ones():
    assert share_of_messages('lspet-mini', 'tree-both', 'tree-none') == pytest.approx(0.167, abs=0.005)
    assert share_of_messages('lspet-mini-80x80', 'tree-both', 'tree-none') < 0.015
    assert share_of_messages('lspet-mini-80x80', 'tree-heavy', 'tree-none') == pytest.approx(0.16, abs=0.005)
    assert share_of_messages('lspet-mini', 'tree-light', 'tree-none') < 0.03


def test_no_cells_are_ignored_in_the_rows_without_discs():
    for row in ('tree-none-discless', 'tree-both-discless'):
        cfg = config_of('structure', 'lspet-mini-80x80', row)
        (step,) = (step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'GenerateTarget')
        codec = KEYPOINT_CODECS.build(step.encoder)
        assert codec.sampling.ignore_radius == 0 and codec.sampling.negative_rate == 0.05
        assert cfg.codec.heatmap_size == (20, 20)


def test_rows_from_pretrained_weights_differ_in_the_neck_alone():
    grid = GRIDS['structure']['movenet']
    true = config_of('structure', 'movenet', 'strong-true')
    assert true.train_dataloader.dataset.indices == 4400 and true.train_dataloader.dataset.id_file == 'train.txt'
    assert true.test_dataloader.dataset.id_file == 'val.txt' and true.model.backbone.init_cfg.type == 'Pretrained'
    cost = {}
    for row in grid.rows:
        cfg = config_of('structure', 'movenet', row.name)
        cost[row.name] = complexity(cfg)['gmacs']
        plain = cfg.to_dict()
        plain['model']['neck'] = true.model.neck.to_dict()
        assert plain == true.to_dict(), row.name
    assert cost.pop('strong-none') < cost['strong-true']
    assert all(found == pytest.approx(cost['strong-true'], rel=0.005) for found in cost.values()), cost
