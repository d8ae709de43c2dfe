"""Verdicts of discriminators are read from the log of a run."""

import json
import sys

import pytest

from tests.helpers import repo_root

sys.path.insert(0, str(repo_root()))

from benchmarks.grid.verdicts import verdicts


def test_means_of_the_last_rows_of_a_hand_made_log(tmp_path):
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    rows = [
        {'iter': i, 'step': i, 'epoch': 1, 'loss': 20.0, 'loss_adv_pose': -0.1 * i, 'pose.score_real': 0.1 * i}
        for i in range(1, 11)
    ]
    (folder / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    # of iterations 9 and 10
    assert verdicts(tmp_path) == pytest.approx({'pose.score_real': 0.95, 'pose.of_loss': 0.95 / 20})
    assert verdicts(tmp_path, share=0.01) == pytest.approx({'pose.score_real': 1.0, 'pose.of_loss': 1.0 / 20})
    assert verdicts(tmp_path / 'nothing') == {}
