from posestructs.structures.box_size import box_size


def test_longer_side():
    assert box_size([[0, 0, 4, 3], [1, 2, 3, 7]]).tolist() == [4, 5]
