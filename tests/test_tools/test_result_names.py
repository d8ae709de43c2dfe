"""Names of result files: each belongs to one image, and looks like no other's."""

import pytest

from posestructs.deployment.onnx_pose.result_names import WRITABLE_SUFFIXES, ResultNames, image_name, json_name
from posestructs.utils import media


def files(*paths, known=True):
    """Name, json file and drawn image of each image."""
    names = ResultNames(paths if known else ())
    return [(json_name(name), image_name(name, path)) for path, name in ((p, names.take(p)) for p in paths)]


@pytest.mark.parametrize(
    'paths, expected',
    [
        ('x/a.png b.PNG', 'a.json a.png, b.json b.PNG'),
        ('a.jpg a.png', 'a.jpg.json a.jpg, a.png.json a.png'),
        # what was the second a.* before
        ('a.jpg a.png a_1.jpg', 'a.jpg.json a.jpg, a.png.json a.png, a_1.json a_1.jpg'),
        ('x/a.png y/a.png', 'a.json a.png, a_1.json a_1.png'),
        ('x/a.png y/a.png z/a.png a_2.jpg', 'a.json a.png, a_1.json a_1.png, a_3.json a_3.png, a_2.json a_2.jpg'),
        ('a.png a.png', 'a.json a.png, a_1.json a_1.png'),  # one image twice
        # OpenCV writes no GIF
        ('b.gif', 'b.json b.jpg'),
        ('b.gif b.jpg', 'b.gif.json b.gif.jpg, b.jpg.json b.jpg'),
        ('b.gif b.gif.jpg b.png', 'b_1.json b_1.jpg, b.gif.jpg.json b.gif.jpg, b.png.json b.png'),
        ('a.png.jpg a.png', 'a.png.jpg.json a.png.jpg, a.json a.png'),
        ('https://a.org/c.jpg?size=4 c.png', 'c.jpg.json c.jpg, c.png.json c.png'),
        ('what?.jpg what.jpg', 'what?.json what?.jpg, what.json what.jpg'),
        ('noext', 'noext.json noext.jpg'),
    ],
)
def test_names_of_images_that_are_known(paths, expected):
    found = files(*paths.split())
    assert [' '.join(pair) for pair in found] == expected.split(', ')
    assert len({name for pair in found for name in pair}) == 2 * len(found)


def test_a_name_does_not_depend_on_what_was_left_out():
    names = ResultNames(['x/a.png', 'y/a.png', 'b.png'])
    assert names.take('b.png') == 'b' and names.take('y/a.png') == 'a_1'
    assert names.planned == [('x/a.png', 'a'), ('y/a.png', 'a_1'), ('b.png', 'b')]


def test_of_images_that_are_not_known_those_before_count():
    found = files('x/a.png', 'a.jpg', 'y/a.png', 'a_1.png', 'b.gif', 'b.jpg', known=False)
    assert [name for name, _ in found] == ['a.json', 'a.jpg.json', 'a_1.json', 'a_1_1.json', 'b.json', 'b_1.json']
    assert len({name for pair in found for name in pair}) == 12


def test_the_formats_are_those_that_images_are_written_in():
    assert WRITABLE_SUFFIXES == media.WRITABLE_SUFFIXES
