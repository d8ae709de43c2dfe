"""Tables and page of the numbers on trust; the whole command on a few persons."""

import json
import pickle

import numpy as np
import pytest

from benchmarks import trust
from posestructs.apis import shipped_models
from tests.helpers import needs_data

SHARES = dict(good=50.0, jitter=20.0, inversion=15.0, swap=10.0, miss=5.0)
NUMBERS = dict(ECE=0.05, Brier=0.2, AUROC=0.7, PCK_of_trusted_50=0.6)


def test_tables_and_page(tmp_path):
    found = dict(
        errors={'all joints': dict(percent=SHARES)},
        calibration=dict(score=NUMBERS, calibrated={**NUMBERS, 'ECE': 0.01}),
        occlusion={},
    )
    difference = {kind: dict(mean=1.0, low=-2.0, high=3.0) for kind in SHARES}
    cut = dict(score=dict(AUROC=0.6, false_at_95=0.7, false_at_90=None), present=dict.fromkeys(trust.CUT, 0.9))
    hidden = dict(found, occlusion=dict(AUROC=0.8, AP=0.5, ECE=0.1, greatest=0.36), cut=cut)
    text = trust.tables(dict(one=found, two=hidden), difference)
    assert '| one         | 50.0 |   20.0 |      15.0 | 10.0 |  5.0 |' in text
    assert 'two minus one, in points' in text and '|       +1.0 | -2.0 | +3.0 |' in text
    assert '| one, calibrated  | 0.010 | 0.200 |' in text and '| two       | 0.800 |' in text
    assert '| two, score              |' in text and '0.700 |         - |' in text
    assert 'occlusion' not in trust.tables(dict(one=found), None)
    assert 'cut by' not in trust.tables(dict(one=found), None)
    page = tmp_path / 'page.md'
    page.write_text(f'before\n{trust.BEGIN}\nold\n{trust.END}\nafter\n')
    trust.write_docs(page, 'new')
    assert page.read_text() == f'before\n{trust.BEGIN}\n\nnew\n\n{trust.END}\nafter\n'
    page.write_text('no marks')
    with pytest.raises(SystemExit, match='page.md has no'):
        trust.write_docs(page, 'new')


def test_occlusion_of_a_dump(tmp_path):
    samples = []
    for i in range(2):
        target = dict(keypoints=np.zeros((1, 3, 2)), keypoints_visible=np.ones((1, 3)))
        target['keypoints_occluded'] = np.array([[0, 1, -1]])
        found = dict(keypoints=np.zeros((1, 3, 2)), keypoint_scores=np.ones((1, 3)))
        found['keypoints_occluded'] = np.array([[0.1, 0.2 + i, 0.9]])
        samples.append(dict(img_path=f'{i}.jpg', gt_instances=target, pred_instances=found))
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(samples))
    out = trust.occlusion(path)
    assert out['AUROC'] == 1 and out['greatest'] == 1.2 and out['ECE'] == pytest.approx((0.1 + 0.1 + 0.8 + 0) / 4)
    del samples[0]['pred_instances']['keypoints_occluded']
    path.write_bytes(pickle.dumps(samples))
    assert trust.occlusion(path) == {}


@needs_data
@pytest.mark.slow
def test_the_whole_command(tmp_path, monkeypatch):
    options = [
        f'{phase}_dataloader.{key}' for phase in ('val', 'test') for key in ('dataset.indices=24', 'num_workers=0')
    ]
    options += [f'{phase}_dataloader.persistent_workers=False' for phase in ('val', 'test')]
    name = next(iter(shipped_models()))
    argv = ['trust.py', '--models', name, '--work-dir', tmp_path, '--out', tmp_path / 'o.json']
    monkeypatch.setattr('sys.argv', [str(word) for word in (*argv, '--cfg-options', *options)])
    trust.main()
    content = json.loads((tmp_path / 'o.json').read_text())['models'][name]
    assert sum(content['errors']['all joints']['percent'].values()) == pytest.approx(100)
    assert content['calibration']['score']['joints'] > 100 and 0 <= content['occlusion']['AUROC'] <= 1
