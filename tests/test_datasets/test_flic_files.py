import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posestructs.datasets import AnnotationError, FLICDataset
from posestructs.datasets.flic_files import RAW_JOINTS, read_flic
from tests.helpers import data_root, needs_data


def example(i=1, **changes):
    """A row of the official file: coords (2, 29) with NaN where FLIC has no label."""
    coords = np.full((2, 29), np.nan)
    for k, column in enumerate((0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)):
        coords[:, column] = [100 * i + k, 10 * k]
    row = dict(
        poselet_hit_idx=np.arange(3, dtype=np.uint16)[None],
        moviename='a-film',
        coords=coords,
        filepath=f'a-film-{i:08d}.jpg',
        imgdims=np.array([[480, 720, 3]], dtype=np.float64),
        currframe=float(i),
        torsobox=np.array([[10, 20, 110, 220]], dtype=np.float32) + i,
        istrain=np.uint8(i % 2),
        istest=np.uint8((i + 1) % 2),
    )
    return {**row, **changes}


@pytest.fixture
def write(tmp_path, matlab_struct):
    def make(rows):
        savemat(tmp_path / 'examples.mat', dict(examples=matlab_struct(rows)))
        return tmp_path / 'examples.mat'

    return make


def test_the_official_layout(write):
    hidden = example(2)
    hidden['coords'][:, 16] = np.nan
    persons, has_splits = read_flic(write([example(1), hidden, example(3, istrain=0, istest=0)]))
    assert has_splits and [p.number for p in persons] == [1, 2, 3]
    assert [sorted(p.splits) for p in persons] == [['train'], ['test'], []]
    first, second = persons[:2]
    assert first.image == 'a-film-00000001.jpg' and first.img_size == (720, 480)
    assert first.keypoints.tolist() == [[100 + k, 10 * k] for k in range(11)] and first.labelled.all()
    assert first.box.tolist() == [11, 21, 111, 221]
    assert second.labelled.tolist() == [True] * 10 + [False]
    # names stand for columns of the official 29: lsho lelb lwri rsho relb rwri lhip . . rhip . . leye reye . . nose
    assert RAW_JOINTS[7] == 'right_hip' and RAW_JOINTS[8] == 'left_eye' and RAW_JOINTS[10] == 'nose'


def test_flic_full_says_who_is_bad(write):
    rows = [example(i, isbad=np.uint8(i == 2), isunchecked=np.uint8(i == 3)) for i in (1, 2, 3)]
    persons, _ = read_flic(write(rows))
    assert ['bad' in p.splits for p in persons] == [False, True, True]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(coords=np.zeros((2, 14))), r'examples\(1\).coords is float64 of shape \(2, 14\), allowed: 58 numbers'),
        (dict(coords=np.zeros((29, 2))), r'examples\(1\).coords has shape \(29, 2\), allowed: \(2, 29\)'),
        (dict(filepath=''), r'examples\(1\).filepath is \[\]|examples\(1\).filepath is'),
        (dict(filepath=np.zeros((1, 2))), r'examples\(1\).filepath is'),
        (
            dict(torsobox=np.zeros((1, 3))),
            r'examples\(1\).torsobox is float64 of shape \(1, 3\), allowed: 4 numbers',
        ),
        (dict(istrain='yes'), r'examples\(1\).istrain is <U3 of shape \(1,\), allowed: 1 number'),
        (dict(imgdims=np.zeros((0, 0))), r'examples\(1\).imgdims'),
    ],
)
def test_fields_that_cannot_be(write, changes, message):
    with pytest.raises(AnnotationError, match=f'examples.mat: {message}'):
        read_flic(write([example(1, **changes)]))


def test_a_missing_field_is_named(write):
    row = example()
    del row['torsobox']
    with pytest.raises(AnnotationError, match=r"'examples' has no field 'torsobox', it has \['poselet_hit_idx'"):
        read_flic(write([row]))


@needs_data
@pytest.mark.parametrize(('name', 'count', 'images'), [('train', 3987, 3628), ('valid', 1016, 926)])
def test_the_hourglass_files(name, count, images):
    path = data_root() / 'flic-annotations' / f'{name}.h5'
    persons, has_splits = read_flic(path)
    assert not has_splits and len(persons) == count and len({p.image for p in persons}) == images
    with h5py.File(path) as file:
        np.testing.assert_array_equal([p.keypoints for p in persons], file['part'][()])
        assert [p.number for p in persons] == (file['index'][()] + 1).tolist()
        assert [p.image for p in persons] == (path.with_name(f'{name}_images.txt')).read_text().split()
    assert all(p.labelled.all() for p in persons)
    # observer-centric: everyone's "right" shoulder is on the image's left
    assert all(p.keypoints[3, 0] < p.keypoints[0, 0] for p in persons)
    assert persons[0].box[2] - persons[0].box[0] == pytest.approx(440)


@needs_data
def test_the_h5_of_mpii_and_other_files():
    with pytest.raises(
        AnnotationError, match=r"valid.h5: key 'part' has shape \(2958, 16, 2\), allowed: \(2958, 11, 2\)"
    ):
        read_flic(data_root() / 'mpii-val' / 'valid.h5')
    with pytest.raises(AnnotationError, match=r"joints.mat: key 'examples' is missing, it has \['joints'\]"):
        read_flic(data_root() / 'lsp-annotations' / 'joints.mat')
    with pytest.raises(AnnotationError, match='mpii_val.json: cannot be read as a .mat file'):
        read_flic(data_root() / 'mpii-val' / 'mpii_val.json')
    with pytest.raises(FileNotFoundError, match='nowhere.mat'):
        read_flic('nowhere.mat')


@needs_data
def test_an_h5_with_nan(tmp_path):
    with h5py.File(data_root() / 'flic-annotations' / 'valid.h5') as old, h5py.File(tmp_path / 'a.h5', 'w') as new:
        for key in old:
            new[key] = old[key][()]
        new['part'][4, 2, 1] = np.nan
    with pytest.raises(AnnotationError, match=r'a.h5: person 145 \(.*.jpg\): joint 2 \(left_wrist\) is at \[.*, nan\]'):
        FLICDataset(str(tmp_path / 'a.h5'), check_images=False)


@needs_data
def test_an_h5_whose_arrays_disagree(tmp_path):
    with h5py.File(data_root() / 'flic-annotations' / 'valid.h5') as old, h5py.File(tmp_path / 'a.h5', 'w') as new:
        for key in old:
            new[key] = old[key][:-1] if key == 'imgname' else old[key][()]
    with pytest.raises(AnnotationError, match=r"a.h5: key 'imgname' has shape \(1015,\), allowed: \(1016,\)"):
        read_flic(tmp_path / 'a.h5')
