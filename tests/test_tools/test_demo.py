"""The demo on a few people: what it promises to leave is there, and shows what it says."""

import json
import subprocess
import sys

import cv2

from posestructs.testing import repo_root


def test_it_leaves_picture_table_and_log(tmp_path):
    folder = tmp_path / 'demo'
    small = [f'{part}_dataloader.dataset.num_samples={n}' for part, n in (('train', 64), ('test', 32))]
    workers = [
        f'{part}_dataloader.{key}'
        for part in ('train', 'test')
        for key in ('num_workers=0', 'persistent_workers=False')
    ]
    call = ['tools/misc/demo.py', '--work-dir', str(folder), '--people', '4', '--cfg-options', *small, *workers]
    done = subprocess.run([sys.executable, *call], cwd=repo_root(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ('predictions.png', 'metrics.md'):
        assert str(folder / name) in done.stdout
    log = next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith('  log'))
    assert 'TorsoPCK' in open(log).read()

    metrics = json.loads((folder / 'metrics.json').read_text())
    table = (folder / 'metrics.md').read_text()
    assert f'{metrics["TorsoPCK@0.2"]:.1f}' in table and table.strip() in done.stdout
    picture = cv2.imread(str(folder / 'predictions.png'))
    height, width = picture.shape[:2]
    assert width > 4 * 2 * 64 and height > 64
    # each of the 4 cells: truth and prediction show the same person, differently drawn upon
    assert picture.std() > 20
