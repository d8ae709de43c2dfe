"""Two folds of predictions against the labels of a data set with exchanged sides."""

import csv
import json
import pickle

import cv2
import numpy as np
import pytest

NAMES = ['right_foot', 'right_hip', 'left_hip', 'left_foot', 'right_hand', 'right_arm', 'left_arm', 'left_hand', 'head']
POSE = np.array([[20, 90], [25, 60], [45, 60], [50, 90], [5, 50], [20, 20], [50, 20], [65, 50], [35, 5]], float)
MIRROR = [3, 2, 1, 0, 7, 6, 5, 4, 8]


@pytest.fixture
def find(main, tmp_path, monkeypatch, capsys):
    """Ten persons; the sides of person 4 are exchanged, and the head of person 7 is elsewhere."""
    monkeypatch.chdir(tmp_path)
    labels = np.repeat(POSE[None], 10, 0)
    labels[4] = POSE[MIRROR]
    labels[7, 8] += [25, 60]
    annotations = [
        dict(id=i, image_id=i, keypoints=np.column_stack([labels[i], np.full(9, 2)]).ravel().tolist(), area=5000)
        for i in range(10)
    ]
    images = [dict(id=i, file_name=f'{i}.png') for i in range(10)]
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='x', keypoints=NAMES)])
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    for i in range(10):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((100, 80, 3), 90, np.uint8))
    for name, fold in (('even.pkl', range(0, 10, 2)), ('odd.pkl', range(1, 10, 2)), ('twice.pkl', range(3))):
        samples = []
        for i in fold:
            target = dict(keypoints=labels[i][None], keypoints_visible=np.ones((1, 9)))
            found = dict(keypoints=POSE[None] + 1, keypoint_scores=np.full((1, 9), 0.1 + 0.01 * i))
            samples.append(dict(img_path=f'/x/{i}.png', id=i, gt_instances=target, pred_instances=found))
        (tmp_path / name).write_bytes(pickle.dumps(samples))

    def run(*flags):
        capsys.readouterr()
        flags = (*flags, '--ann', 'labels.json', '--torso-pair', 'left_arm', 'right_hip')
        main('analysis/find_suspect_labels.py', *flags)
        return capsys.readouterr().out

    return run


def test_folds_together(find, tmp_path):
    out = find('even.pkl', 'odd.pkl', '--count', 2)
    assert '10 persons, 0 without a prediction' in out and 'first 2: 1 mirror, 1 joint' in out
    rows = list(csv.DictReader((tmp_path / 'work_dirs/suspect_labels/suspects.csv').open()))
    rows = {row['id']: (row['kind'], row['what'], row['image']) for row in rows}
    assert rows == {'4': ('mirror', 'person', '4.png'), '7': ('joint', 'head', '7.png')}
    assert cv2.imread(str(tmp_path / 'work_dirs/suspect_labels/suspects.jpg')).shape[1] > 600
    # persons whom no fold predicts are counted, not ranked
    assert '10 persons, 5 without a prediction' in find('even.pkl', '--count', 0, '--out-dir', 'half')
    assert len((tmp_path / 'half' / 'suspects.csv').read_text().splitlines()) == 2


def test_a_person_in_two_folds_is_an_error(find, tmp_path):
    with pytest.raises(SystemExit, match='twice.pkl: 2 persons are in a fold before it too, the first: id 0 of 0.png'):
        find('even.pkl', 'twice.pkl')
    assert not (tmp_path / 'work_dirs').exists()
