import numpy as np

from posestructs.evaluation import format_table, metrics_table


def test_format_table():
    assert format_table(['', 'a'], [['row', '1.0'], ['x', '100.0']]) == (
        '|     |     a |\n| --- | ----: |\n| row |   1.0 |\n| x   | 100.0 |'
    )


def test_rows_and_columns():
    metrics = {
        'TorsoPCK@0.2': 39.14, 'TorsoPCK@0.2/head': 61.25, 'TorsoPCK@0.2/people': 1000, 'PDJ@0.1': 12.0,
        'PDJ/AUC': 20.0, 'PDJ/AUC/head': 30.0, 'PDJ/AUC/wrist': 10.06, 'unknown/TorsoPCK@0.2/joints': 3,
    }  # fmt: skip
    assert metrics_table(metrics).split('\n') == [
        '|                      | head | wrist | mean | joints | people |',
        '| -------------------- | ---: | ----: | ---: | -----: | -----: |',
        '| TorsoPCK@0.2         | 61.2 |     - | 39.1 |      - |   1000 |',
        '| PDJ@0.1              |    - |     - | 12.0 |      - |      - |',
        '| PDJ/AUC              | 30.0 |  10.1 | 20.0 |      - |      - |',
        '| unknown/TorsoPCK@0.2 |    - |     - |    - |      3 |      - |',
    ]
    assert 'people' not in metrics_table(metrics, counts=False)
    assert '39.14' in metrics_table(metrics, digits=2)


def test_prefixes_stay_with_the_row():
    assert metrics_table({'a/visible/X@0.5': 1.0, 'a/visible/X@0.5/knee': 2.0}).split('\n')[-1] == (
        '| a/visible/X@0.5 |  2.0 |  1.0 |'
    )


def test_mmposes_mpii_keys():
    table = metrics_table({'Head PCK': np.float64(95.8), 'Elbow PCK': 88.12, 'PCK': 87.3, 'PCK@0.1': 30.0})
    assert table.split('\n') == [
        '|         | head | elbow | mean |',
        '| ------- | ---: | ----: | ---: |',
        '| PCK     | 95.8 |  88.1 | 87.3 |',
        '| PCK@0.1 |    - |     - | 30.0 |',
    ]
    assert '| mpii/PCK | 95.8 |' in metrics_table({'mpii/Head PCK': 95.8, 'mpii/PCK': 87.3})


def test_every_metric_of_an_evaluation_has_its_place(lsp_meta, samples_of, evaluate):
    rng = np.random.default_rng(0)
    gt = rng.random((20, 14, 2)) * 100
    samples = samples_of(gt + rng.normal(0, 9, gt.shape), gt, keypoints_occluded=rng.integers(0, 2, (20, 14)))
    split = dict(type='OcclusionSplitPCK', base=dict(type='TorsoPCK'))
    out = evaluate([dict(type='TorsoPCK'), dict(type='StrictPCP'), dict(type='PDJ'), split], lsp_meta, samples)
    lines = metrics_table(out).split('\n')
    assert len({len(line) for line in lines}) == 1  # it lines up as plain text
    assert [line.split('|')[1].strip() for line in lines[2:]] == [
        'TorsoPCK@0.2', 'StrictPCP@0.5', 'PDJ@0.1', 'PDJ@0.2', 'PDJ/AUC',
        'visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2', 'unknown/TorsoPCK@0.2',
    ]  # fmt: skip
    assert sum(cell.strip() not in ('', '-') for line in lines[2:] for cell in line.split('|')[2:]) == len(out)
