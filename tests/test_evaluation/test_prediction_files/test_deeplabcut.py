"""Files that pandas wrote as DeepLabCut does: csv, HDF5 in table format (compressed afterwards) and in fixed format."""

import pickle
import shutil

import h5py
import numpy as np
import pytest

from posestructs.evaluation.prediction_files import read_predictions


@pytest.mark.parametrize('name', ['dlc.csv', 'dlc.h5'])
def test_one_animal_in_a_video(files, name):
    poses = read_predictions(files / name)
    values = np.arange(18.0).reshape(3, 2, 3)
    np.testing.assert_array_equal(poses.keypoints, values[..., :2])
    np.testing.assert_array_equal(poses.scores, values[..., 2])
    assert poses.joints == ('nose', 'paw') and poses.frames and poses.images == [0, 1, 2]


@pytest.mark.parametrize('name', ['dlc_multi.csv', 'dlc_multi.h5'])
def test_several_animals_in_images(files, name):
    """Labels: no likelihood, images by path, one joint of the first animal is absent."""
    poses = read_predictions(files / name)
    values = np.arange(16.0).reshape(4, 2, 2)
    values[0, 0] = np.nan
    np.testing.assert_array_equal(poses.keypoints, values)
    assert np.isnan(poses.scores).all() and not poses.frames
    assert poses.images == ['labeled-data/v/img1.png'] * 2 + ['labeled-data/v/img2.png'] * 2


def test_damaged_tables(files, tmp_path):
    text = (files / 'dlc.csv').read_text()
    for changed, message in (
        (text.replace('8.0', 'eight'), 'could not convert'),
        (text[:-12], 'rows differ in length'),
        (text.replace('paw', 'nose'), 'columns occur twice'),
        (text + text.splitlines()[-1] + '\n', 'two rows are of 2, allowed: one row for each frame'),
    ):
        path = tmp_path / 'a.csv'
        path.write_text(changed)
        with pytest.raises(ValueError, match=message):
            read_predictions(path)
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['x'] = 1
        file['link'] = h5py.SoftLink('/nowhere')
    with pytest.raises(ValueError, match='neither of SLEAP .* nor of DeepLabCut'):
        read_predictions(tmp_path / 'a.h5')


def test_column_names_are_not_executed(files, tmp_path):
    """PyTables keeps them as pickles."""
    path = tmp_path / 'a.h5'
    shutil.copy(files / 'dlc.h5', path)
    mark = tmp_path / 'ran'
    with h5py.File(path, 'a') as file:
        file['df_with_missing/table'].attrs['values_block_0_kind'] = np.bytes_(
            pickle.dumps(Touch(str(mark)), protocol=0)
        )
    with pytest.raises(ValueError, match='cannot be read: it holds'):
        read_predictions(path)
    assert not mark.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')
