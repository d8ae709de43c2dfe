"""Curves out of log files as mmengine writes them."""

import json

import numpy as np
import pytest

from posestructs.utils.run_logs import Curve, find_logs, read_curves, smooth


def write(folder, rows, tail=''):
    folder.mkdir(parents=True)
    lines = ''.join(json.dumps(row) + '\n' for row in rows)
    (folder / 'scalars.json').write_text(lines + tail)


def row(step, **values):
    return dict(iter=step, step=step, epoch=1, **values)


def test_a_resumed_run_becomes_one_curve(tmp_path):
    # killed after iteration 3 and amid a row; resumed from the checkpoint of iteration 2
    write(tmp_path / '20260101_000000' / 'vis_data', [row(n, loss=n, a=-n) for n in (1, 2, 3)], tail='{"iter": 4, "lo')
    validation = {'PCK': 0.5, 'step': 1}
    write(tmp_path / '20260101_010000' / 'vis_data', [row(3, loss=30, a=0), validation, row(4, loss=40)])
    files = find_logs(tmp_path)
    assert [file.parts[-3] for file in files] == ['20260101_000000', '20260101_010000']
    curves = read_curves(files)
    assert curves['loss'].steps.tolist() == [1, 2, 3, 4] and curves['loss'].values.tolist() == [1, 2, 30, 40]
    assert curves['a'].steps.tolist() == [1, 2, 3] and curves['a'].values.tolist() == [-1, -2, 0]
    assert 'PCK' not in curves


def test_a_run_from_scratch_replaces_the_one_before(tmp_path):
    write(tmp_path / 'a', [row(n, loss=1) for n in (1, 2, 3, 4)])
    write(tmp_path / 'b', [row(n, loss=2) for n in (1, 2)])
    curves = read_curves([tmp_path / 'a' / 'scalars.json', tmp_path / 'b' / 'scalars.json'])
    assert curves['loss'].values.tolist() == [2, 2]


def test_all_ways_to_name_a_run(tmp_path):
    folder = tmp_path / 'work' / '20260101_000000' / 'vis_data'
    write(folder, [row(1, loss=1)])
    file = folder / 'scalars.json'
    for path in (file, folder, folder.parent, tmp_path / 'work'):
        assert find_logs(path) == [file]
    assert find_logs(tmp_path) == []


def test_smoothing_against_a_loop():
    values = np.random.default_rng(0).random(20)
    curve = smooth(Curve(np.arange(20.0), values), 6)
    assert curve.values == pytest.approx([values[max(0, i - 5) : i + 1].mean() for i in range(20)], rel=1e-12)
    assert smooth(Curve(np.arange(20.0), values), 1).values == pytest.approx(values, rel=1e-12)
