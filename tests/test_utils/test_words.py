"""Numbers with their nouns."""

from posestructs.utils.words import counted


def test_only_one_is_singular():
    assert [counted(number, 'image') for number in (0, 1, 2)] == ['0 images', '1 image', '2 images']
