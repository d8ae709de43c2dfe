"""tools/deployment/latency.py: all ways take turns, on the same images, and give the same maps."""

import json
import runpy
import shutil
from argparse import Namespace

import numpy as np
import pytest
import torch
from torch import nn

from posestructs.deployment.onnx_export import export_network
from tests.helpers import repo_root

TOOL = 'deployment/latency.py'
latency = runpy.run_path(str(repo_root() / 'tools' / TOOL))


@pytest.mark.slow
def test_ways_are_measured_by_turns_on_the_same_images():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU()).eval()
    data = export_network(network, (10, 6), {})
    compiled = shutil.which('g++') is not None
    ways = latency['make_backends'](network, data, 1, compiled)
    assert list(ways) == ['torch', *(['torch.compile'] if compiled else []), 'onnxruntime']
    images, seen = torch.randn(2, 3, 6, 10), []

    def watched(name, way):
        def run(batch):
            seen.append(name)
            return way(batch)

        return run

    times = latency['measure']({name: watched(name, way) for name, way in ways.items()}, images, 3)
    assert seen == list(ways) * (3 + latency['WARM_UP'])
    assert all(len(taken.wall) == len(taken.cpu) == 3 and min(taken.wall) > 0 for taken in times.values())
    with torch.no_grad():
        np.testing.assert_allclose(ways['onnxruntime'](images), ways['torch'](images), atol=1e-5)
    with pytest.raises(RuntimeError, match='wrong and torch differ by'):
        latency['measure'](dict(torch=ways['torch'], wrong=lambda batch: ways['torch'](batch) + 1), images, 1)


def test_rows_are_milliseconds_an_image():
    times = latency['Times']
    rows = latency['make_rows'](4, dict(torch=times([0.4, 0.2, 0.8], [0.1] * 3), fast=times([0.1] * 3, [0.2] * 3)))
    assert rows[0] == dict(way='torch', batch=4, median=100, least=50, cpu=25, times_as_fast=1)
    assert rows[1] == dict(way='fast', batch=4, median=25, least=25, cpu=50, times_as_fast=4)


def test_the_table_and_the_file(main, tiny, tmp_path, capsys):
    out = tmp_path / 'figures.json'
    main(TOOL, tiny, '--batches', 1, 2, '--rounds', 2, '--no-compile', '--out', out)
    found = json.loads(out.read_text())
    assert [(row['way'], row['batch']) for row in found['rows']] == [
        (way, batch) for batch in (1, 2) for way in ('torch', 'onnxruntime')
    ]
    assert found['input'] == [64, 64] and found['config'] == 'tiny_mpii-64x64' and found['rounds'] == 2
    # four bytes a parameter, and little beside them
    assert found['onnx_mb'] == pytest.approx(4 * found['million_parameters'], abs=0.15)
    assert {'commit', 'cpu', 'torch', 'onnxruntime'} <= set(found)
    reported = capsys.readouterr().out
    assert 'tiny_mpii-64x64, 64x64' in reported and all(f'{row["median"]:.2f}' in reported for row in found['rows'])


def test_errors_are_one_line(main, tiny, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match='^latency.py: error: .*gone.pth: no such file'):
        main(TOOL, tiny, tmp_path / 'gone.pth')
    pickled = tmp_path / 'pickled.pth'
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=dict(odd=Namespace())), pickled)
    with pytest.raises(SystemExit, match=r'^latency.py: error: .*pickled.pth.*NO_WEIGHTS_ONLY_LOAD') as stopped:
        main(TOOL, tiny, pickled, '--no-compile')
    assert '\n' not in str(stopped.value)
    with pytest.raises(SystemExit):
        main(TOOL, tiny, '--rounds', 0)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(SystemExit, match='^latency.py: error: torch.compile needs a C.. compiler.*--no-compile'):
        main(TOOL, tiny)
