"""AUROC of joints by single and combined scores."""

import numpy as np
import pytest

from posestructs.evaluation.joint_ranking import combined_score, ranking


def test_two_scores_together_are_better_than_each():
    rng = np.random.default_rng(0)
    right, person = rng.random(2000) < 0.5, np.repeat(np.arange(200), 10)
    scores = {name: right + 1.5 * rng.normal(size=2000) for name in ('first', 'second')}
    found = ranking(scores, right, person)
    ones, zeros = scores['first'][right][:50], scores['first'][~right][:50]
    pairs = [(a > b) + 0.5 * (a == b) for a in ones for b in zeros]
    alone = ranking(dict(first=np.r_[ones, zeros]), np.arange(100) < 50, person)
    assert alone == dict(first=pytest.approx(np.mean(pairs)))
    assert found['together'] > max(found['first'], found['second']) + 0.02


def test_a_person_is_never_scored_by_a_fit_to_itself():
    """A score that tells nothing but the person's own outcome is worth nothing."""
    rng = np.random.default_rng(0)
    right, person = rng.random(400) < 0.5, np.arange(400)
    noise = rng.normal(size=(400, 30))
    combined = combined_score(noise, right, person)
    assert abs(np.mean(combined[right]) - np.mean(combined[~right])) < 0.3
    assert combined_score(noise, np.ones(400, bool), person) is None
