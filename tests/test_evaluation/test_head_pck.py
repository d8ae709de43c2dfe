"""MPII's PCKh: mmpose's metric, imported through this package, and ours on a published network's predictions."""

import pytest

from tests.helpers import needs_data

pytestmark = needs_data

PUBLISHED = dict(Head=95.80, Shoulder=94.57, Elbow=88.12, Wrist=83.31, Hip=86.24, Knee=80.88, Ankle=77.44)
PUBLISHED_MEAN = 87.30
OURS = dict(type='HeadPCK', thr=[0.5, 0.1], offset=1.0, exclude=['pelvis', 'thorax'])


@pytest.fixture(scope='module')
def samples(mpii, samples_of):
    return samples_of(**mpii)


def test_mmpose_gives_the_published_hourglass_figures(mpii_meta, samples, evaluate):
    out = evaluate([dict(type='MpiiPCKAccuracy')], mpii_meta, samples)
    assert {g: round(float(out[f'{g} PCK']), 2) for g in PUBLISHED} == PUBLISHED
    assert round(float(out['PCK']), 2) == PUBLISHED_MEAN


def test_ours_reproduces_mmposes(mpii, mpii_meta, samples, evaluate):
    theirs = evaluate([dict(type='MpiiPCKAccuracy')], mpii_meta, samples)
    ours = evaluate([OURS], mpii_meta, samples)
    for g in PUBLISHED:
        assert ours[f'HeadPCK@0.5/{g.lower()}'] == pytest.approx(float(theirs[f'{g} PCK']), abs=0.005)
    assert ours['HeadPCK@0.5'] == pytest.approx(float(theirs['PCK']), abs=0.005)
    assert ours['HeadPCK@0.1'] == pytest.approx(float(theirs['PCK@0.1']), abs=0.005)
    counted = mpii['labelled'].sum() - mpii['labelled'][:, 6:8].sum()
    assert ours['HeadPCK@0.5/joints'] == counted
    assert (ours['HeadPCK@0.5/people'], ours['HeadPCK@0.5/people_left_out']) == (2958, 0)


def test_the_offset_matters(mpii_meta, samples, evaluate):
    plain = evaluate([OURS | dict(offset=0.0)], mpii_meta, samples)
    assert plain['HeadPCK@0.1'] < evaluate([OURS], mpii_meta, samples)['HeadPCK@0.1'] - 0.5


def test_without_head_size_the_error_says_where_it_comes_from(mpii, mpii_meta, samples_of, evaluate):
    few = samples_of(mpii['pred'][:2], mpii['gt'][:2])
    with pytest.raises(ValueError, match=r'HeadPCK: a data sample has no gt_instances.head_size.*headbox_file'):
        evaluate([OURS], mpii_meta, few)
