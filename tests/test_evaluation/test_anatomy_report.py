"""Rows and notes of a report."""

import numpy as np
import pytest

from posestructs.evaluation.anatomy_report import analyse, comparison_table, report, shares_table
from posestructs.evaluation.error_anatomy import Difference
from posestructs.evaluation.prediction_files import Labels, Matched

NAMES = ('head', 'left_hand', 'right_hand', 'tail')


@pytest.fixture
def case():
    """Three persons with a torso (head to tail) of 100 pixels; the last has no tail, hence no size."""
    gt = np.tile([[50.0, 0], [0, 50], [100, 50], [50, 100]], (3, 1, 1))
    pred = gt.copy()
    pred[0, 1] = gt[0, 2]
    pred[1, 0] = np.nan
    labelled = np.ones((3, 4), bool)
    labelled[2, 3] = False
    occluded = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [-1, -1, -1, -1]])
    meta = dict(keypoint_name2id=dict(zip(NAMES, range(4), strict=True)), flip_indices=[0, 2, 1, 3])
    images = dict(enumerate(['a', 'b', 'c']))
    labels = Labels(
        'labels', gt, labelled, occluded, [0, 1, 2], list('abc'), [0, 1, 2], np.full(3, 5000.0), meta, images
    )
    fields = dict(scores=np.ones((3, 4)), joints=np.ones(4, bool), occluded=occluded, fields={}, notes=['read'])
    return Matched(pred=pred, found=np.array([True] * 3), **fields), labels


def test_rows_and_notes(case):
    found = analyse(*case, torso_pair=('head', 'tail'))
    assert found.notes[0] == 'read' and '1 persons have no size (torso)' in found.notes[1]
    assert '1 labelled joints are not predicted: they count as misses' in found.notes[2]
    rows = report(found)['rows']
    assert rows['all joints']['percent'] == dict(good=75, jitter=0, inversion=12.5, swap=0, miss=12.5)
    assert rows['hand']['percent']['inversion'] == 25 and rows['occluded'] == rows['occluded'] | dict(joints=1)
    assert rows['occluded']['percent']['inversion'] == 100 and report(found)['persons'] == dict(measured=2, labelled=3)
    table = [[cell.strip() for cell in line.split('|')[1:-1]] for line in shares_table(found).splitlines()]
    assert ['all joints', '75.0', '0.0', '12.5', '0.0', '12.5', '8'] in table
    assert ['PCK if forgiven', '', '75.0', '87.5', '75.0', '87.5', ''] in table
    half = found.only(np.arange(3)[:, None] == np.zeros((1, 4)))
    assert half.counts()['all joints'].sum() == 4 and '4 joints that the other model' in half.notes[-1]


def test_what_cannot_be_measured(case):
    matched, labels = case
    with pytest.raises(ValueError, match='labels names no torso_pair'):
        analyse(matched, labels)
    with pytest.raises(ValueError, match="has no sigmas, which the scale 'oks' needs"):
        analyse(matched, labels, 'oks')
    labels.labelled[:, 3] = False
    with pytest.raises(ValueError, match=r'no person has a prediction, a size \(torso\)'):
        analyse(matched, labels, torso_pair=('head', 'tail'))


def test_no_mirror_joints(case):
    matched, labels = case
    labels.meta = dict(labels.meta, flip_indices=[0, 1, 2, 3])
    found = analyse(matched, labels, torso_pair=('head', 'tail'))
    assert 'there can be no inversion' in found.notes[-1]


def test_comparison_table():
    text = comparison_table(dict(good=Difference(1.25, -0.5, 3), miss=Difference(-1.25, -3, 0.5)))
    assert '| good |       +1.2 | -0.5 | +3.0 |' in text and '| miss |       -1.2 | -3.0 | +0.5 |' in text
