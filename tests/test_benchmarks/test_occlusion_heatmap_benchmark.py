"""The codec benchmark: a fair comparison and its file. Speed itself is not asserted here."""

import importlib.util
import json
import sys

import numpy as np
import pytest

from tests.helpers import repo_root

spec = importlib.util.spec_from_file_location('codec_benchmark', repo_root() / 'benchmarks' / 'occlusion_heatmap.py')
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)


@pytest.mark.parametrize('decode', list(benchmark.PAIRS))
def test_both_sides_make_the_same_pose_maps(decode):
    shared = dict(input_size=(96, 64), heatmap_size=(24, 16), sigma=2)
    theirs, ours = benchmark.PAIRS[decode](**shared), benchmark.OcclusionHeatmap(decode=decode, **shared)
    for person in benchmark.make_samples(3, 5, (96, 64)):
        maps = ours.encode(**person, keypoints_occluded=np.ones((1, 5)))['heatmaps']
        np.testing.assert_allclose(maps[:5], theirs.encode(**person)['heatmaps'], atol=3e-7)
        np.testing.assert_array_equal(maps[5:], maps[:5])  # the dearest case: all of them are drawn


def test_times_are_per_call(monkeypatch):
    clock = iter([0.0, 1.0, 1.0, 5.0, 5.0, 8.0, 8.0, 12.0])
    monkeypatch.setattr(benchmark.time, 'process_time', lambda: next(clock))
    calls = dict(a=lambda person: None, b=lambda person: None)
    assert benchmark.median_times(calls, [{}, {}], rounds=2) == dict(a=1e6, b=2e6)


def test_the_file(tmp_path, monkeypatch):
    out = tmp_path / 'new' / 'table.json'
    words = ['x', '--num', '2', '--rounds', '1', '--sigmas', '1', '--joints', '3', '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', words)
    benchmark.main()
    table = json.loads(out.read_text())
    assert len(table['rows']) == 9
    for row in table['rows']:
        assert row['joints'] == 3 and row['mmpose_us'] > 0 and row['ours_us'] > 0
