"""Planted mistakes come first, and mistakes of the model do not."""

import numpy as np
import pytest

from posestructs.evaluation.suspect_labels import confidence_ranks, find_suspects

NAMES = tuple('right_foot right_hip left_hip left_foot right_hand right_shoulder left_shoulder left_hand head'.split())
MIRROR = [3, 2, 1, 0, 7, 6, 5, 4, 8]
POSE = np.array([[-30, 200], [-25, 100], [25, 100], [30, 200], [-70, 80], [-40, 0], [40, 0], [70, 80], [0, -50]], float)
GROUPS = dict(arms=[4, 5, 6, 7], legs=[0, 1, 2, 3])


@pytest.fixture
def persons():
    """60 persons with a torso of 100 pixels; predictions are close but for a few joints that the model gets wrong."""
    rng = np.random.default_rng(0)
    gt = POSE + rng.normal(0, 2, (60, 9, 2)) + rng.uniform(0, 500, (60, 1, 2))
    pred = gt + rng.normal(0, 5, gt.shape)
    confidence = rng.uniform(0.6, 1, (60, 9))
    for n, k in ((50, 0), (51, 4)):
        pred[n, k] = gt[n, MIRROR[k]]  # two joints on one place, and sure of it
        confidence[n, k] = 1
    pred[52] = gt[52, MIRROR]  # inverted, but unsure
    confidence[52] = 0.1
    return pred, gt, np.ones((60, 9), bool), np.full(60, 100.0), confidence


def test_planted_mistakes_come_first(persons):
    pred, gt, labelled, size, confidence = persons
    labels = gt.copy()
    for n in range(5):
        labels[n] = gt[n, MIRROR]
    labels[5, 4:8] = gt[5, 4:8][::-1]
    labels[6, 8] += [150, 0]
    labels[7, 0] += [0, 90]
    found = find_suspects(pred, labels, labelled, size, MIRROR, confidence, NAMES, GROUPS)
    first = {s.person: s for s in found[:8]}
    assert set(first) == set(range(8))
    assert all((first[n].kind, first[n].group, len(first[n].joints)) == ('mirror', 'person', 8) for n in range(5))
    assert first[5][1:4] == ('mirror', 'arms', (4, 5, 6, 7))
    assert first[6][1:4] == ('joint', 'head', (8,)) and first[7][1:4] == ('joint', 'right_foot', (0,))
    scores = [s.score for s in found]
    assert scores == sorted(scores, reverse=True) and scores[7] > 2 * scores[8]
    # a joint by hand: confidence, distance up to one torso, agreement of the others
    others = np.delete(confidence[7], 0)
    distance = np.linalg.norm(pred[7, 0] - labels[7, 0]) / 100
    assert first[7].score == pytest.approx(confidence[7, 0] * distance * others.sum() / others.sum())


def test_persons_without_size_or_labels_are_passed_over(persons):
    pred, gt, labelled, size, confidence = persons
    labels = gt[:, MIRROR]
    size[0] = np.nan
    pred[1] = np.nan
    labelled[2, :4] = labelled[2, 5:7] = False  # one pair is left
    labelled[2, 8] = False
    persons = {s.person for s in find_suspects(pred, labels, labelled, size, MIRROR, confidence, NAMES, GROUPS)}
    assert not persons & {0, 1, 2} and 3 in persons


def test_confidences_are_ranks_of_each_joint():
    scores = np.array([[0.1, 700], [0.3, 800], [0.2, np.nan], [0.2, 900]])
    measured = np.array([[1, 1], [1, 1], [1, 0], [1, 0]], bool)
    expected = [[0.125, 0.25], [0.875, 0.75], [0.5, 0], [0.5, 0]]
    np.testing.assert_allclose(confidence_ranks(scores, measured), expected)
    measured[2, 1] = True
    with pytest.raises(ValueError, match='1 scores are not finite, the first: joint 1 of person 2 is nan'):
        confidence_ranks(scores, measured)
