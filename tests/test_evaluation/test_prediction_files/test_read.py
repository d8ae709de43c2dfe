"""Choice of the reader of a file, and errors for other files."""

import json

import numpy as np
import pytest

from posestructs.evaluation.prediction_files import Poses, read_predictions


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.txt', '', "a.txt: suffix='.txt', allowed: .pkl"),
        ('a.json', '{', 'a.json: not valid JSON'),
        ('a.json', '{"annotations": []}', 'it holds labels'),
        ('a.json', '[]', 'content=list, allowed: a list of persons'),
        ('a.json', '[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', 'entry 0 has no keypoints; results of boxes'),
        ('a.json', '[{"image_id": 1, "keypoints": [1, 2]}]', 'entry 0: keypoints has 2 numbers'),
        ('a.json', '[{"image_id": 1, "keypoints": [1, "x", 2]}]', 'entry 0: keypoints or score is not numeric'),
        ('a.json', '[{"image_id": null, "keypoints": [1, 2, 3]}]', 'entry 0: image_id=None'),
        ('a.json', '[{"image_id": true, "keypoints": [1, 2, 3]}]', 'entry 0: image_id=True'),
        ('a.json', '[{"image_id": 1, "keypoints": [0.1, 1, 3, 0, 0.5, 1, 0.2, 0, 1]}]', 'allowed: positions in pixels'),
        ('a.csv', 'frame,x\n1,2\n', 'the first rows of a csv of DeepLabCut'),
        ('a.h5', 'no hdf5', 'a.h5: not an HDF5 file'),
        ('a.pkl', 'no pickle', 'a.pkl was not loaded'),
    ],
)
def test_files_of_no_use(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_predictions(path)
    with pytest.raises(ValueError, match='no such file'):
        read_predictions(tmp_path / 'absent.json')


def test_coco_results(tmp_path):
    """A joint of zeros is not predicted; all entries must have the same joints."""
    entries = [
        dict(image_id=3, category_id=1, keypoints=[1, 2, 0.5, 0, 0, 0], score=0.25),
        dict(image_id='im7', category_id=1, keypoints=[5, 6, 0.7, 7, 8, 0.9], score=0.75),
    ]
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(entries))
    poses = read_predictions(path)
    np.testing.assert_array_equal(poses.keypoints, [[[1, 2], [np.nan, np.nan]], [[5, 6], [7, 8]]])
    assert poses.images == [3, 'im7'] and poses.person_scores.tolist() == [0.25, 0.75] and poses.joints is None
    entries[1]['keypoints'] = entries[1]['keypoints'][:3]
    path.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match='entry 1 has 1 joints, the first 2'):
        read_predictions(path)


def test_scores_of_persons_are_the_mean_of_known_joints():
    poses = Poses('x', np.zeros((2, 2, 2)), np.array([[0.5, np.nan], [np.nan, np.nan]]), [1, 2])
    assert poses.person_scores.tolist() == [0.5, 0]
