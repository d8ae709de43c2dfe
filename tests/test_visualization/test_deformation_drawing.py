import numpy as np

from posestructs.structures import Deformation, KinematicTree
from posestructs.visualization.deformation_drawing import draw_deformation, type_colors

TREE = KinematicTree.from_parents(['neck', 'left', 'right'], [None, 'neck', 'neck'], mirror=[('left', 'right')])
SIDE, GAP, TITLE = 200, 4, 20


def drawn(positions, labelled, offsets, variances=0.0):
    found = Deformation(
        TREE,
        offsets,
        np.full((3, 2, 2), variances),
        [[0, 1]] * 3,
        np.full((3, 2), 0.5),
        1.0,
    )
    image = draw_deformation(found, positions, labelled, columns=3, side=SIDE)
    tops = GAP + TITLE
    return [image[tops : tops + SIDE, GAP + v * (SIDE + GAP) :][:, :SIDE].astype(int) for v in range(3)]


def share(tile, color, x, y):
    """Distance of a colour to the closest pixel around a place."""
    around = tile[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3)
    return np.abs(around - np.array(color)).max(axis=1).min()


def test_persons_and_means_are_where_they_are_in_the_colour_of_their_type():
    offsets = np.array([[(0, -0.1), (0, 0.1)], [(0.2, 0.0), (-0.05, 0.1)], [(-0.2, 0.0), (0.05, 0.1)]])
    positions = np.zeros((2, 3, 2))
    positions[:, 1] = (0.2, 0.05), (0.1, 0.1)
    positions[:, 2] = (-0.2, 0.05), (9, 9)
    labelled = np.array([[True, True, True], [True, True, False]])
    _, left, right = drawn(positions, labelled, offsets)
    first, second = type_colors(2)
    scale = SIDE / 2 / (1.1 * 0.2)  # the farthest of the pair fills the tile to 1 / 1.1

    def place(offset):
        return [round(SIDE / 2 + c * scale) for c in offset]

    for t, color in enumerate((first, second)):
        assert share(left, color, *place(offsets[1, t])) < 40
        assert share(right, color, *place(offsets[2, t])) < 40
    dim = [0.7 * c for c in first]
    assert share(left, dim, *place((0.2, 0.05))) < 40  # a person, nearest to the first mean
    assert share(right, dim, *place((-0.2, 0.05))) < 40
    # mirrored, colours and all; but for the person whose right is not labelled
    person = place((0.1, 0.1))
    same = np.abs(left[:180, ::-1] - right[:180]).max(axis=-1) < 60
    assert same[:, 1:].mean() > 0.97
    assert np.abs(left[person[1], person[0]] - (32, 32, 32)).max() > 60
    assert np.abs(right[person[1], SIDE - person[0]] - (32, 32, 32)).max() < 20


def test_ellipses_are_one_sigma():
    offsets = np.array([[(0, -0.1), (0, 0.1)], [(0.1, 0.0), (-0.1, 0.0)], [(-0.1, 0.0), (0.1, 0.0)]])
    positions, labelled = np.zeros((1, 3, 2)), np.zeros((1, 3), bool)
    _, left, _ = drawn(positions, labelled, offsets, variances=0.03**2)
    scale = SIDE / 2 / (1.1 * 0.1)
    x, y = round(SIDE / 2 + 0.1 * scale), SIDE // 2
    assert left[y - round(0.03 * scale), x].max() > 150, 'the rim'
    assert left[y - round(0.02 * scale), x].max() < 40, 'inside'


def test_colours_differ():
    for count in (1, 2, 3, 4, 5, 6, 8, 13, 20):
        colors = type_colors(count)
        assert len(set(colors)) == count
