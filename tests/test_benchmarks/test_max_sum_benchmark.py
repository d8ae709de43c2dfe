"""The max-sum benchmark: all ways agree, and a disagreement is found. Speed itself is not asserted here."""

import importlib.util
import json
import shutil
import sys

import numpy as np
import pytest

from tests.helpers import repo_root

spec = importlib.util.spec_from_file_location('max_sum_benchmark', repo_root() / 'benchmarks' / 'max_sum.py')
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)

needs_compiler = pytest.mark.skipif(shutil.which('g++') is None, reason='needs g++')
PARENTS = [2, 2, -1, 0, 0, 1]


@pytest.fixture(scope='module')
def by_cpp(tmp_path_factory):
    return benchmark.compile_cpp(tmp_path_factory.mktemp('cpp'))


@needs_compiler
@pytest.mark.parametrize('kind', benchmark.KINDS)
@pytest.mark.parametrize('size', [(9, 14), (13, 8), (1, 6), (7, 1)])
def test_all_ways_find_the_same(by_cpp, kind, size):
    for seed in range(3):
        case = benchmark.make_case(kind, PARENTS, 3, size, seed)
        ours, *others = (way(case) for way in (benchmark.by_ours, benchmark.by_numpy, by_cpp))
        for other in others:
            assert other.score == pytest.approx(ours.score, rel=1e-6)
            np.testing.assert_array_equal(other.positions, ours.positions)
            np.testing.assert_array_equal(other.types, ours.types)


def test_a_disagreement_is_found():
    case = benchmark.make_case('noise', PARENTS, 3, (9, 14))
    pose = benchmark.by_numpy(case)
    benchmark.check_agreement(case, dict(one=pose, same=pose._replace(positions=pose.positions.copy())))
    elsewhere = pose.positions.copy()
    elsewhere[3, 0] += 1 if elsewhere[3, 0] < 13 else -1
    for wrong in (pose._replace(score=pose.score + 0.01), pose._replace(positions=elsewhere)):
        with pytest.raises(RuntimeError, match='two: score'):
            benchmark.check_agreement(case, dict(one=pose, two=wrong))


@needs_compiler
def test_the_file(tmp_path, monkeypatch):
    out = tmp_path / 'new' / 'table.json'
    words = ['x', '--tree', 'flic-18.py', '--types', '2', '--size', '6', '9', '--rounds', '1', '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', words)
    benchmark.main()
    table = json.loads(out.read_text())
    assert table['size'] == [6, 9] and table['commit'] and table['cpu']
    cpu = [row for row in table['rows'] if row['device'] == 'CPU']
    assert len(cpu) == 6 and all(row['median'] >= row['least'] > 0 for row in cpu)
    for row in cpu:
        if row['way'] == benchmark.CPP:
            assert row['times_cpp'] == 1
