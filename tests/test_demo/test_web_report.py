"""Sentences of the page."""

import pytest

from demo.web_report import counted, nothing_drawn


@pytest.mark.parametrize(
    'scores, sentence',
    [
        ([0.1], 'No joint has a score of at least 0.3: nothing is drawn; move the slider to the left.'),
        ([0.1, 0.9], 'No joint of person 1 has a score of at least 0.3: it is not drawn; move the slider to the left.'),
        (
            [0.1, 0.2],
            'No joint of any person has a score of at least 0.3: nothing is drawn; move the slider to the left.',
        ),
        (
            [0.1, 0.9, 0.2, 0.2],
            'No joint of persons 1, 3 and 4 has a score of at least 0.3: they are not drawn; move the slider to the '
            'left.',
        ),
        ([0.3, 0.9], ''),
        ([], ''),
    ],
)
def test_persons_without_a_joint_that_is_drawn(scores, sentence):
    persons = [dict(joints=[dict(score=0.0), dict(score=score)]) for score in scores]
    assert ''.join(nothing_drawn(persons, 0.3)) == sentence


def test_a_calibrated_model_has_probabilities():
    persons = [dict(joints=[dict(score=0.9, correct=0.2)])]
    assert nothing_drawn(persons, 0.5)[0].startswith('No joint has a probability of at least 0.5')
    assert nothing_drawn(persons, 0.2) == []
    assert counted(persons) == '1 person' and counted([]) == '0 persons'
