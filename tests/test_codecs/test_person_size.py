"""Reference lengths by hand, and agreement with the metrics."""

import numpy as np
import pytest

from posestructs.codecs.person_size import PersonSize
from posestructs.evaluation import pair_length
from posestructs.structures.metainfo import metainfo_file

KEYPOINTS = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])
ALL = np.ones(3, bool)
LSP = dict(from_file=metainfo_file('lsp'))


def test_box_is_the_longer_side_in_input_pixels():
    box = np.array([[10.0, 20.0, 60.0, 40.0]])
    assert PersonSize('box')(KEYPOINTS, ALL, box, None, 0.5) == 25
    assert PersonSize('box')(KEYPOINTS, ALL, None, None, 0.5) == 0
    assert PersonSize('box').keys == {'bbox', 'input_scale'}


def test_head_is_the_data_sets_or_a_pair():
    assert PersonSize('head')(KEYPOINTS, ALL, None, np.array([30.0]), 0.5) == 15
    assert PersonSize('head').keys == {'head_size', 'input_scale'}
    assert PersonSize('head', (0, 1))(KEYPOINTS, ALL, None, None, 0.5) == 5
    with pytest.raises(ValueError, match="normalize='head': the sample has no head_size"):
        PersonSize('head')(KEYPOINTS, ALL, None, None, 1)


def test_torso_is_that_of_the_metric():
    size = PersonSize('torso', metainfo=LSP)
    assert size.pair == (9, 2) and size.keys == set()
    rng = np.random.default_rng(0)
    joints, labelled = rng.normal(size=(20, 14, 2)), rng.random((20, 14)) > 0.3
    expected = pair_length(joints, labelled, (9, 2))
    found = np.array([size(*person, None, None, 1) for person in zip(joints, labelled, strict=True)])
    np.testing.assert_allclose(found, np.nan_to_num(expected))
    assert (found == 0).any() and (found > 0).any()  # 0 where it is not known


def test_names():
    assert PersonSize('torso', ('neck', 'left_hip'), LSP).pair == (12, 3)


@pytest.mark.parametrize(
    ('args', 'match'),
    [
        (('body',), "normalize='body', allowed: "),
        (('torso',), "normalize='torso' needs pair"),
        (('box', (0, 1)), "allowed with normalize='box': None"),
        (('torso', (1, 1)), 'two different joints'),
        (('torso', (1, 2, 3)), 'two different joints'),
        (('torso', (0.5, 2)), 'two different joints'),
        (('torso', ('neck', 'tail'), LSP), r"\['tail'\] are not among the joints"),
        (('torso', ('neck', 'tail')), r"\['neck', 'tail'\] are not among the joints"),
    ],
)
def test_refusals(args, match):
    with pytest.raises(ValueError, match=match):
        PersonSize(*args)


def test_a_pair_named_by_other_joints():
    """A pair by name means nothing once KeypointConverter has put other joints in the place of the data set's."""
    with pytest.raises(ValueError, match=r'pair=\(9, 2\): named by metainfo with 14 joints, but the sample has 17'):
        PersonSize('torso', ('left_shoulder', 'right_hip'), LSP)(np.zeros((17, 2)), np.ones(17, bool), None, None, 1)


def test_a_pair_beyond_the_joints():
    with pytest.raises(ValueError, match=r'pair=\(9, 2\): there are only 3 joints'):
        PersonSize('torso', (9, 2))(KEYPOINTS, ALL, None, None, 1)
