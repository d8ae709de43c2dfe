"""Losses of the pilots against slow references, and their runs planned, trained and reported."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from mmpose.registry import DATASETS, MODELS

from benchmarks import left_right_pilots as benchmark
from benchmarks.pilots import BoneMapLoss, FacingLoss, MirrorConsistentPoseEstimator
from benchmarks.pilots.losses import TORSO
from benchmarks.recipes.run import pack
from posestructs.utils.usage import UsageError
from tests.helpers import data_root

TREE = dict(names=['neck', 'left', 'right'], parents=[None, 'neck', 'neck'])


@pytest.fixture(autouse=True)
def data(monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))


def slow_bone_map(a, b, height, width, reach):
    """Cell by cell, float64."""
    out = np.zeros((2, height, width))
    for y in range(height):
        for x in range(width):
            length = math.dist(a, b)
            t = sum((p - q) * (r - q) for p, q, r in zip((x, y), a, b, strict=True)) / length**2
            t = min(1.0, max(0.0, t))
            foot = [q + t * (r - q) for q, r in zip(a, b, strict=True)]
            if math.dist((x, y), foot) <= reach:
                out[:, y, x] = [(r - q) / length for q, r in zip(a, b, strict=True)]
    return out


def test_bone_maps_against_a_slow_reference():
    loss = BoneMapLoss(in_channels=3, tree=TREE, width=1.5, loss_weight=2.0)
    cells = torch.tensor([[[2.2, 1.0], [9.7, 6.1], [4.0, 7.5]], [[5.0, 5.0], [1.0, 2.0], [8.0, 3.0]]])
    labelled = torch.tensor([[True, True, False], [True, True, True]])
    feats = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    maps = loss.layers(feats)
    total = 0.0
    for n in range(2):
        for e, (a, b) in enumerate(loss.edges):
            if labelled[n, a] and labelled[n, b]:
                target = slow_bone_map(cells[n, a].tolist(), cells[n, b].tolist(), 9, 12, 1.5)
                total += ((maps[n, 2 * e : 2 * e + 2].detach().double().numpy() - target) ** 2).sum()
    assert loss(feats, cells, labelled).item() == pytest.approx(2.0 * total / 4, rel=1e-5)


def torso(turn, facing):
    """Shoulders and hips of a person whose spine is turned from upright, clockwise, by degrees."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = [(facing * 2, -4), (-facing * 2, -4), (facing * 1, 4), (-facing * 1, 4)]
    return [(c * x - s * y + 16, s * x + c * y + 16) for x, y in points]


def test_facing_by_hand():
    loss = FacingLoss(in_channels=2, names=list(TORSO))
    persons = [torso(0, 1), torso(180, 1), torso(90, -1), torso(0, 0.05)]
    unit, width, length = loss.targets(torch.tensor(persons))
    expected = [[0, -1], [0, 1], [1, 0], [0, -1]]
    np.testing.assert_allclose(unit, expected, atol=1e-6)
    np.testing.assert_allclose(length, 8.0, rtol=1e-6)
    # mean of 4 and 2 cells across a torso of 8
    np.testing.assert_allclose(width, [0.375, 0.375, -0.375, 0.01875], atol=1e-6)

    with torch.no_grad():
        loss.layers[2].weight.zero_()
        loss.layers[2].bias.copy_(torch.tensor([0.0, -1.0, 2.0]))
    feats, cells = torch.zeros(4, 2, 32, 32), torch.tensor(persons)
    labelled = torch.ones(4, 4, dtype=torch.bool)

    def value(*which):
        known = labelled.clone()
        known[[n for n in range(4) if n not in which], 0] = False
        return loss(feats, cells, known).item()

    front, behind = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    # |(0, -1) - u|^2 and the cross-entropy of a logit of 2; the last person is seen from the side
    assert value(0) == pytest.approx(10 * front, rel=1e-5)
    assert value(1) == pytest.approx(10 * (4 + front), rel=1e-5)
    assert value(2) == pytest.approx(10 * (2 + behind), rel=1e-5)
    assert value(3) == pytest.approx(0, abs=1e-6) == value()
    assert value(0, 1) == pytest.approx(10 * (4 + 2 * front) / 2, rel=1e-5)


def test_mirrored_maps_are_consistent_and_others_count():
    rng, flip = np.random.default_rng(0), [1, 0, 2]
    straight = rng.normal(size=(2, 6, 4, 5)).astype(np.float32)
    mirrored = np.zeros_like(straight)
    for k in range(6):
        source = flip[k % 3] + 3 * (k // 3)
        for x in range(1, 5):  # cell x lies at 4 x pixels: it comes from cell 5 - x
            mirrored[:, source, :, 5 - x] = straight[:, k, :, x]
    model = MirrorConsistentPoseEstimator.__new__(MirrorConsistentPoseEstimator)
    torch.nn.Module.__init__(model)
    model.mirror_weight = 3.0
    loss = model.mirror_loss(torch.tensor(straight), torch.tensor(mirrored), flip)
    assert loss.item() == 0
    mirrored[1, 4, 2, 3] += 2.0
    assert model.mirror_loss(torch.tensor(straight), torch.tensor(mirrored), flip).item() == pytest.approx(3.0 * 4 / 4)


@pytest.mark.parametrize('row', ['facing', 'bone-maps', 'mirror-consistency', 'larger-input'])
def test_a_row_trains_features_and_backbone_on_real_persons(row):
    cfg = benchmark.make_config(row, images=2)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    batch = dict(
        inputs=[dataset[i]['inputs'] for i in range(2)], data_samples=[dataset[i]['data_samples'] for i in range(2)]
    )
    side = 256 if row == 'larger-input' else 192
    assert batch['inputs'][0].shape == (3, side, side)
    data = model.data_preprocessor(batch, True)
    losses, _ = model.generator_forward(data['inputs'], data['data_samples'])
    extra = sorted(set(losses) - {'loss_kpt', 'loss_occlusion', 'acc_pose'})
    names = {'larger-input': [], 'mirror-consistency': ['loss_mirror']}
    assert extra == names.get(row, ['loss_auxiliary'])
    total = losses[extra[0] if extra else 'loss_kpt']
    total.backward()
    gradients = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert math.isfinite(total.item()) and total.item() > 0 and any(g.abs().sum() > 0 for g in gradients)


def test_rows_differ_in_nothing_but_their_change(tmp_path):
    control = benchmark.make_config('control').to_dict()
    assert control['train_dataloader']['dataset']['indices'] == 4400
    assert control['val_dataloader']['dataset']['id_file'] == 'train.txt'
    assert [s['rotate_factor'] for s in control['train_dataloader']['dataset']['pipeline'] if 'rotate_factor' in s] == [
        30
    ]
    for row in ('facing', 'bone-maps', 'mirror-consistency'):
        other = benchmark.make_config(row).to_dict()
        assert other['model'].pop('type') != control['model']['type']
        other['model'].pop('auxiliary', None)
        assert {**other, 'model': dict(other['model'], type=control['model']['type'])} == control
    suspects = tmp_path / 'suspects.csv'
    suspects.write_text('rank,score,kind,id\n1,0.9,mirror,4\n2,0.8,joint,6\n3,0.1,mirror,2\n')
    ids = benchmark.clean_ids(suspects, tmp_path, images=3)
    assert ids.read_text().split() == ['2', '6']
    clean = benchmark.make_config('clean-labels', ids=ids).to_dict()['train_dataloader']['dataset']
    assert (clean['id_file'], clean['indices']) == (str(ids), None)
    suspects.write_text('a,b\n1,2\n')
    with pytest.raises(UsageError, match=r'allowed: suspects\.csv'):
        benchmark.clean_ids(suspects, tmp_path, images=3)


def test_differences_are_to_the_mean_of_the_controls(tmp_path, monkeypatch):
    def result(row, seed, right):
        figures = dict.fromkeys(benchmark.COLUMNS, 50.0)
        counts = dict(right=pack(np.array(right * 50)), measured=pack(np.array([10, 10] * 50)))
        return dict(row=row, seed=seed, fingerprint='', figures=figures, **counts)

    found = [result('facing', 0, [8, 8]), result('control', 1, [7, 6]), result('control', 0, [5, 6])]
    file, page = tmp_path / 'results.json', tmp_path / 'page.md'
    file.write_text(json.dumps(found))
    page.write_text('# Page\n')
    monkeypatch.setattr(sys, 'argv', ['x', '--report', str(page), '--out', str(file)])
    benchmark.main()
    lines = [line for line in page.read_text().splitlines() if line.startswith('|')]
    assert len(lines) == 2 + 7 and 'seed 0' in lines[2] and 'seed 1' in lines[3]
    assert '+20.0 [+20.0, +20.0]' in lines[4] and all('| open |' in ' '.join(line.split()) for line in lines[5:])
