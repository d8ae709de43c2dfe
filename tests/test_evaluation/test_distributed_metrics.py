"""Two ranks over gloo give what one process gives, with a sampler that pads the last round."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

METRICS_CONFIG = [
    dict(type='StrictPCP', thr=[0.3, 0.5]),
    dict(type='TorsoPCK', thr=0.2),
    dict(type='OcclusionSplitPCK', base=dict(type='BoxPCK', thr=0.1)),
]
PERSONS = 21  # odd: rank 1 sees person 0 a second time, which must not be counted


def poses() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    gt = rng.random((PERSONS, 14, 2)) * 100
    return dict(
        pred=gt + rng.normal(0, 9, gt.shape),
        gt=gt,
        labelled=(rng.random((PERSONS, 14)) < 0.8).astype(float),
        keypoints_occluded=rng.choice([0, 1, -1], (PERSONS, 14)),
        bboxes=np.tile([0.0, 0, 100, 90], (PERSONS, 1)),
    )


def data_samples() -> list[dict]:
    p = poses()
    return [
        dict(
            pred_instances=dict(keypoints=p['pred'][i : i + 1]),
            gt_instances=dict(
                keypoints=p['gt'][i : i + 1],
                keypoints_visible=p['labelled'][i : i + 1],
                keypoints_occluded=p['keypoints_occluded'][i : i + 1],
                bboxes=p['bboxes'][i : i + 1],
            ),
        )
        for i in range(PERSONS)
    ]


def evaluate_rank(world: int, out_dir: str) -> dict:
    """Evaluate this rank's share, as mmengine's DefaultSampler deals it."""
    from mmengine.dataset import DefaultSampler
    from mmengine.evaluator import Evaluator
    from mmpose.registry import METRICS

    import posestructs  # noqa: F401
    from posestructs.structures.metainfo import load_metainfo, metainfo_file

    pdj = dict(type='PDJ', out_dir=os.path.join(out_dir, f'pdj{world}'))
    evaluator = Evaluator([METRICS.build(m) for m in (*METRICS_CONFIG, pdj)])
    evaluator.dataset_meta = load_metainfo(dict(from_file=metainfo_file('lsp')))
    samples = data_samples()
    mine = list(DefaultSampler(samples, shuffle=False))
    assert len(mine) == -(-PERSONS // world)
    for i in range(0, len(mine), 4):
        evaluator.process([samples[j] for j in mine[i : i + 4]])
    return evaluator.evaluate(PERSONS)


def main(rank: int, world: int, out_dir: str) -> None:
    import torch

    os.chdir(out_dir)  # mmengine gathers in the working directory
    store = f'file://{out_dir}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=world)
    result = evaluate_rank(world, out_dir)
    with open(os.path.join(out_dir, f'{rank}.json'), 'w') as f:
        json.dump(result, f)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with both ranks' results. The ranks are processes that run this file."""
    from tests.helpers import repo_root

    folder = tmp_path_factory.mktemp('ranks')
    env = os.environ | {'PYTHONPATH': str(repo_root()), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, str(r), '2', str(folder)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for r in range(2)
    ]
    try:
        for process in ranks:
            out, _ = process.communicate(timeout=300)
            assert process.returncode == 0, out.decode()
    finally:
        for process in ranks:
            process.kill()
    return folder


@pytest.fixture(scope='module')
def one_process(folder) -> dict:
    return evaluate_rank(1, str(folder))


def test_two_ranks_equal_one_process(folder, one_process):
    for rank in range(2):  # every rank gets the result, as mmengine's hooks expect
        assert json.loads((folder / f'{rank}.json').read_text()) == one_process
    persons, left_out = (one_process[f'TorsoPCK@0.2/{k}'] for k in ('people', 'people_left_out'))
    assert persons + left_out == PERSONS and left_out > 0
    assert 20 < one_process['TorsoPCK@0.2'] < 80 and one_process['unknown/BoxPCK@0.1/joints'] > 0


def test_the_curve_is_written_once_and_is_the_same(folder, one_process):
    one, two = (folder / f'pdj{world}' for world in (1, 2))
    assert (one / 'pdj.csv').read_text() == (two / 'pdj.csv').read_text()
    assert sorted(p.name for p in two.iterdir()) == ['pdj.csv', 'pdj.png']


if __name__ == '__main__':
    from posestructs.utils.launch import disconnect_ranks

    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    disconnect_ranks()
