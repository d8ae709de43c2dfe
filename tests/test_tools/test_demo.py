"""The demo on a few persons: what it promises to leave is there, and shows what it says."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers import repo_root

SMALL = [f'{part}_dataloader.dataset.num_samples={n}' for part, n in (('train', 64), ('test', 32))]
SMALL += [
    f'{part}_dataloader.{key}' for part in ('train', 'test') for key in ('num_workers=0', 'persistent_workers=False')
]


def demo(*arguments):
    call = [sys.executable, 'tools/misc/demo.py', *arguments]
    return subprocess.run(call, cwd=repo_root(), capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_it_sets_the_four_models_side_by_side(tmp_path):
    folder = tmp_path / 'demo'
    done = demo('--work-dir', str(folder), '--people', '4', '--cfg-options', *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ('predictions.png', 'metrics.md'):
        assert str(folder / name) in done.stdout

    table = (folder / 'metrics.md').read_text().strip()
    assert table in done.stdout
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
    assert [row[0] for row in rows[2:]] == ['baseline', 'structured', 'adversarial', 'hybrid']
    for name, *cells in rows[2:]:
        metrics = json.loads((folder / name / 'metrics.json').read_text())
        assert cells[:-1] == [f'{metrics[key]:.1f}' for key in rows[0][1:-1]]
        trained = (folder / name / 'train.txt').read_text()
        assert set(re.findall(r'Epoch\(train\) +\[(\d+)\]', trained)) == {'1'}  # all have one budget
    assert rows[0][2:4] == ['visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2']

    sheet = cv2.imread(str(folder / 'predictions.png'))
    assert sheet.shape[1] > 2 * 5 * 128  # two persons a row, each once as they are and once for each model
    assert sheet.std() > 20
    cells = np.split(sheet[40:160, : 5 * 128], 5, axis=1)
    assert all((a != b).any() for a, b in zip(cells, cells[1:], strict=False))


@pytest.mark.slow
def test_a_run_that_fails_is_named(tmp_path):
    done = demo('--models', 'structured', '--work-dir', str(tmp_path), '--cfg-options', 'model.type=NoSuchModel')
    assert done.returncode != 0
    for part in ('structured: python tools/train.py', 'NoSuchModel', str(tmp_path / 'structured')):
        assert part in done.stderr
