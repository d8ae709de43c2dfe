import json

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posestructs.datasets import AnnotationError
from posestructs.datasets.mpii_files import check_mpii_json
from posestructs.datasets.mpii_visibility import VisiblePerson, match_persons, read_visibility
from tests.helpers import data_root, needs_data

VAL = data_root() / 'mpii-val'


@pytest.fixture(scope='module')
def val():
    return check_mpii_json(json.loads((VAL / 'mpii_val.json').read_text()), 'mpii_val.json')


@needs_data
def test_the_hourglass_h5_of_the_validation_persons(val):
    occluded, report = match_persons(*val, read_visibility(VAL / 'valid.h5'))
    assert (report.persons_matched, report.joints_matched, report.joints_known) == (2958, 44240, 44240)
    assert report.joints_occluded == 10243 and report.percent_occluded == pytest.approx(23.2, abs=0.05)
    with h5py.File(VAL / 'valid.h5') as file:  # same order there, so that the ground truth is at hand
        np.testing.assert_array_equal(occluded, (file['visible'][()] == 0) & val[2])


@needs_data
def test_neck_and_head_top_can_be_left_unknown(val):
    occluded, report = match_persons(*val, read_visibility(VAL / 'valid.h5', unflagged='unknown'))
    np.testing.assert_array_equal(occluded[:, 8:10], np.where(val[2][:, 8:10], -1, 0))
    assert report.joints_matched == 44240 and report.joints_known == 44240 - val[2][:, 8:10].sum()
    assert report.joints_occluded == 10243 and report.percent_occluded > 26


# -- the official layout ---------------------------------------------------------------------------------------------


def write_official(path, persons, struct, without_flags=()):
    """``RELEASE.annolist`` as in the official file. ``persons``: image -> list of (keypoints, labelled, occluded).

    As there: persons in another order, flags as characters or numbers, none for neck and head top, which have
    fractional coordinates, persons without points, and images without persons.
    """
    annolist = [dict(image=struct([dict(name='099999999.jpg')]), annorect=np.zeros((0, 0)))]
    for n, (image, group) in enumerate(persons.items()):
        rects = []
        for keypoints, labelled, occluded in reversed(group):
            points = []
            for joint in np.flatnonzero(labelled)[::-1]:
                x, y = keypoints[joint] + (0.731 if joint in (8, 9) else 0)
                flag = int(not occluded[joint])
                flag = '' if joint in (8, 9) else str(flag) if n % 2 else flag
                points.append(dict(x=x, y=y, id=float(joint), is_visible=flag))
            if image in without_flags:
                points = [{k: v for k, v in point.items() if k != 'is_visible'} for point in points]
            annopoints = struct([dict(point=struct(points))])
            rects.append(dict(x1=1.0, y1=2.0, x2=3.0, y2=4.0, annopoints=annopoints, scale=1.0, objpos=5.0))
        rects.append(dict(x1=1.0, y1=2.0, x2=3.0, y2=4.0, annopoints=np.zeros((0, 0)), scale=1.0, objpos=5.0))
        annolist.append(dict(image=struct([dict(name=image)]), annorect=struct(rects)))
    release = dict(annolist=struct(annolist), img_train=np.ones((1, len(annolist))), version='12')
    savemat(path, dict(RELEASE=struct([release])), do_compression=True)


@pytest.fixture
def official(tmp_path, matlab_struct, val):
    """The first 150 validation images in the official layout."""
    with h5py.File(VAL / 'valid.h5') as file:
        visible = file['visible'][()]
    persons = {}
    for row, image in enumerate(val[0]):
        if image in persons or len(persons) < 150:
            persons.setdefault(image, []).append((val[1][row], val[2][row], val[2][row] & (visible[row] == 0)))
    path = tmp_path / 'official.mat'
    write_official(path, persons, matlab_struct)
    return path, persons


@needs_data
def test_the_official_file_says_what_the_h5_says(official, val):
    path, persons = official
    rows = [i for i, image in enumerate(val[0]) if image in persons]
    assert len(rows) > 150  # several persons in some images
    part = [val[0][i] for i in rows], val[1][rows], val[2][rows]
    source = read_visibility(path)
    assert set(source) == set(persons) and sum(map(len, source.values())) == len(rows)
    from_mat, report = match_persons(*part, source)
    from_h5, _ = match_persons(*part, read_visibility(VAL / 'valid.h5'))
    np.testing.assert_array_equal(from_mat, from_h5)
    assert report.joints_matched == report.joints == part[2].sum()


@needs_data
def test_persons_who_are_not_there_stay_unknown(official, val):
    occluded, report = match_persons(*val, read_visibility(official[0]))
    inside = np.array([image in official[1] for image in val[0]])
    assert report.persons_matched == inside.sum() < report.persons == 2958
    np.testing.assert_array_equal(occluded[~inside], np.where(val[2][~inside], -1, 0))
    assert report.joints_known == val[2][inside].sum()
    assert report.percent_occluded == pytest.approx(100 * (occluded == 1).sum() / val[2][inside].sum())


@needs_data
def test_a_file_without_any_flag_counts_as_visible_or_unknown(tmp_path, matlab_struct, val):
    path = tmp_path / 'test.mat'
    write_official(path, {val[0][0]: [(val[1][0], val[2][0], val[2][0])]}, matlab_struct, without_flags={val[0][0]})
    assert read_visibility(path)[val[0][0]][0].occluded.tolist() == [0] * 16
    # one struct per level: scipy squeezes each to itself
    assert read_visibility(path, 'unknown')[val[0][0]][0].occluded[[8, 9]].tolist() == [-1, -1]


def one_point(tmp_path, struct, **point):
    point = dict(dict(x=1.0, y=2.0, id=3.0, is_visible='1'), **point)
    rect = dict(annopoints=struct([dict(point=struct([point]))]))
    entry = dict(image=struct([dict(name='1.jpg')]), annorect=struct([rect]))
    savemat(tmp_path / 'a.mat', dict(RELEASE=struct([dict(annolist=struct([entry]))])))
    return tmp_path / 'a.mat'


@pytest.mark.parametrize(('flag', 'occluded'), [('0', 1), ('1', 0), (0, 1), (1.0, 0), (np.zeros((0, 0)), 0), ('', 0)])
def test_forms_of_the_flag(tmp_path, matlab_struct, flag, occluded):
    [person] = read_visibility(one_point(tmp_path, matlab_struct, is_visible=flag))['1.jpg']
    assert person.occluded[3] == occluded and person.labelled.sum() == 1 and person.keypoints[3].tolist() == [1, 2]


@pytest.mark.parametrize(
    ('point', 'message'),
    [
        (dict(id=16.0), r'point\(1\).id is 16, allowed: 0 to 15'),
        (dict(x=np.nan), r'point\(1\) \(joint 3\) is at \[nan, 2.0\]'),
        (dict(y='left'), r'point\(1\) has no number x, y or id'),
        (dict(x=np.zeros((0, 0))), r'point\(1\) has no number x, y or id'),
        (dict(is_visible=2), r'point\(1\).is_visible is 2, allowed: 0, 1 or empty'),
        (dict(is_visible='no'), r"point\(1\).is_visible is 'no'"),
    ],
)
def test_points_that_cannot_be(tmp_path, matlab_struct, point, message):
    with pytest.raises(AnnotationError, match=rf'a.mat: RELEASE.annolist\(1\).annorect\(1\).annopoints.{message}'):
        read_visibility(one_point(tmp_path, matlab_struct, **point))


@needs_data
def test_files_of_something_else(tmp_path, matlab_struct):
    with pytest.raises(AnnotationError, match=r"joints.mat: key 'RELEASE' is missing, it has \['joints'\]"):
        read_visibility(data_root() / 'lsp-annotations' / 'joints.mat')
    with pytest.raises(
        AnnotationError, match=r"train.h5: key 'part' has shape \(3987, 11, 2\), allowed: \(3987, 16, 2\)"
    ):
        read_visibility(data_root() / 'flic-annotations' / 'train.h5')
    with h5py.File(VAL / 'valid.h5') as old, h5py.File(tmp_path / 'a.h5', 'w') as new:
        for key in ('imgname', 'part', 'visible'):
            new[key] = old[key][()]
        new['part'][7, 2, 1] = np.nan
    with pytest.raises(AnnotationError, match="a.h5: key 'part', row 7 is not finite"):
        read_visibility(tmp_path / 'a.h5')
    savemat(tmp_path / 'a.mat', dict(RELEASE=7))
    with pytest.raises(AnnotationError, match="'RELEASE' has no field 'annolist': it is int"):
        read_visibility(tmp_path / 'a.mat')
    savemat(tmp_path / 'a.mat', dict(RELEASE=matlab_struct([dict(annolist=np.zeros((0, 0)))])))
    with pytest.raises(AnnotationError, match='a.mat: holds no labelled person'):
        read_visibility(tmp_path / 'a.mat')
    savemat(tmp_path / 'a.mat', dict(RELEASE=matlab_struct([dict(annolist=matlab_struct([dict(image=3)]))])))
    with pytest.raises(AnnotationError, match=r'annolist\(1\).image.name is None'):
        read_visibility(tmp_path / 'a.mat')
    with pytest.raises(ValueError, match="unflagged='hidden', allowed: 'visible', 'unknown'"):
        read_visibility(tmp_path / 'a.mat', 'hidden')


# -- matching by hand ------------------------------------------------------------------------------------------------


def test_pairs_are_chosen_so_that_most_joints_coincide():
    labelled = np.ones((2, 16), dtype=bool)
    joints = np.stack([np.full((16, 2), 100.0), np.full((16, 2), 200.0)])
    joints[1, :5] = 100  # five joints of the second person lie on the first one
    flags = [np.arange(16) % 2, np.zeros(16)]  # of the first and the second person
    source = [VisiblePerson(joints[i].copy(), labelled[i], flags[i].astype(np.int8)) for i in (1, 0)]
    source[1].labelled = labelled[0].copy()
    source[1].labelled[3] = False  # the source does not know joint 3 of the first person
    source[0].keypoints[7] += [2, 0]  # too far
    source[0].keypoints[8] += [1, 1]  # near enough: 1.41 pixels
    occluded, report = match_persons(['a', 'a'], joints, labelled, dict(a=source))
    first, second = np.arange(16) % 2, np.zeros(16)
    first[3], second[7] = -1, -1
    np.testing.assert_array_equal(occluded, [first, second])
    assert (report.persons, report.persons_matched, report.joints, report.joints_matched) == (2, 2, 32, 30)
    occluded, report = match_persons(['a', 'a'], joints, labelled, dict(a=source), tolerance=0)
    assert occluded[1, 8] == -1 and report.joints_matched == 29
