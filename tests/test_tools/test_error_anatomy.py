"""The tool on files of several tools: the same errors, whoever wrote them."""

import csv
import json
import pickle
import shutil

import cv2
import numpy as np
import pytest

from tests.helpers import repo_root

NAMES = ['nose', 'left_paw', 'right_paw', 'left_foot', 'right_foot', 'tail']
POINTS = np.array([[50, 10], [20, 40], [80, 40], [20, 90], [80, 90], [50, 120]], float)
OFFSETS = [(0, 0), (10, 5), (20, 0), (5, 30)]


@pytest.fixture
def analysis(main, tmp_path, monkeypatch, capsys):
    """Run the tool on four mice, one an image, whose torso (nose to tail) is 110 pixels long."""
    monkeypatch.chdir(tmp_path)
    images = [dict(id=i, file_name=f'img{i}.png') for i in range(4)]
    annotations = [
        dict(id=i, image_id=i, keypoints=np.column_stack([POINTS + offset, np.full(6, 2)]).ravel().tolist(), area=9000)
        for i, offset in enumerate(OFFSETS)
    ]
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='mouse', keypoints=NAMES)])
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    for image in images:
        cv2.imwrite(str(tmp_path / image['file_name']), np.full((160, 140, 3), 80, np.uint8))

    def run(*flags):
        capsys.readouterr()
        main('analysis/error_anatomy.py', *flags, '--torso-pair', 'nose', 'tail')
        return capsys.readouterr().out

    return run


def predictions():
    """A jittering tail, an inverted paw, a foot on the nose, a nose nowhere: 4 of 24 joints."""
    pred = np.stack([POINTS + offset for offset in OFFSETS])
    pred[0, 5] += [30, 0]
    pred[1, 1] = pred[1, 2]
    pred[2, 3] = pred[2, 0]
    pred[3, 0] += [900, 0]
    return pred


def write_results(path, pred):
    rows = [np.column_stack([points, np.full(6, 0.5)]).ravel().tolist() for points in pred]
    path.write_text(json.dumps([dict(image_id=i, keypoints=row, score=0.5) for i, row in enumerate(rows)]))


def write_deeplabcut(path, pred):
    """Frames 0 to 3 of a video, joints in the reverse order."""
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['scorer'] + ['net'] * 18)
        writer.writerow(['bodyparts', *np.repeat(NAMES[::-1], 3)])
        writer.writerow(['coords'] + ['x', 'y', 'likelihood'] * 6)
        for frame, points in enumerate(pred[:, ::-1]):
            writer.writerow([frame, *np.column_stack([points, np.full(6, 0.9)]).ravel()])


def copy_ultralytics(path, pred):
    """The same poses, written by ultralytics itself; see write_files.py beside the file."""
    shutil.copy(repo_root() / 'tests/test_evaluation/test_prediction_files/files/ultralytics.json', path)


WRITERS = [('model.json', write_results), ('model.csv', write_deeplabcut), ('model.json', copy_ultralytics)]


@pytest.mark.parametrize(('name', 'write'), WRITERS)
def test_the_same_errors_of_several_tools(analysis, tmp_path, name, write):
    write(tmp_path / name, predictions())
    out = analysis(name, '--ann', 'labels.json', '--out-dir', 'out', '--worst', 2)
    assert 'good: within 0.2, near: within 0.4 of the distance nose to tail' in out
    found = json.loads((tmp_path / 'out' / 'anatomy.json').read_text())['models']['model']['rows']
    share = 100 / 24
    expected = dict(good=20 * share, jitter=share, inversion=share, swap=share, miss=share)
    assert found['all joints']['percent'] == pytest.approx(expected)
    assert found['all joints']['pck_if_forgiven']['swap'] == pytest.approx(21 * share)
    assert found['paw']['percent']['inversion'] == 12.5 and found['tail']['percent']['jitter'] == 25
    for kind in ('jitter', 'inversion', 'swap', 'miss'):
        assert cv2.imread(str(tmp_path / 'out' / f'model_{kind}.jpg')).shape[0] > 100
    assert cv2.imread(str(tmp_path / 'out' / 'anatomy.png')) is not None


def test_two_models_are_compared(analysis, tmp_path):
    """The second makes the inversion good, and has no prediction for the last image, which counts for neither."""
    write_results(tmp_path / 'a.json', predictions())
    better = predictions()
    better[1, 1] = POINTS[1] + OFFSETS[1]
    write_results(tmp_path / 'b.json', better[:3])
    out = analysis('a.json', 'b.json', '--ann', 'labels.json', '--names', 'old', 'new', '--worst', 0)
    found = json.loads((tmp_path / 'work_dirs/error_anatomy/anatomy.json').read_text())
    share = 100 / 18
    assert found['difference']['good']['mean'] == pytest.approx(share)
    assert found['difference']['inversion']['mean'] == pytest.approx(-share)
    assert found['difference']['jitter'] == dict(mean=0, low=0, high=0)
    assert found['models']['old']['rows']['all joints']['joints'] == 18
    assert 'new minus old' in out and '6 joints that the other model has no prediction for' in out


def test_dump_against_a_config(analysis, main, tmp_path, capsys):
    """Labels of the test set of a config; the dump's own occlusion labels count."""
    (tmp_path / 'config.py').write_text("""
custom_imports = dict(imports=['posestructs'], allow_failed_imports=False)
default_scope = 'mmpose'
test_dataloader = dict(dataset=dict(type='StickFigureDataset', num_samples=4, image_size=64, pipeline=[]))
""")
    from posestructs.datasets import StickFigureDataset

    dataset, samples = StickFigureDataset(num_samples=4, image_size=64, pipeline=[]), []
    for i in range(4):
        info = dataset.get_data_info(i)
        target = {key: info[key] for key in ('keypoints', 'keypoints_visible')}
        target['keypoints_occluded'] = np.ones_like(info['keypoints_visible'])
        found = dict(keypoints=info['keypoints'] + 0.1, keypoint_scores=np.ones((1, 14)))
        samples.append(dict(img_path=info['img_path'], id=info['id'], gt_instances=target, pred_instances=found))
    (tmp_path / 'dump.pkl').write_bytes(pickle.dumps(samples))
    main('analysis/error_anatomy.py', 'dump.pkl', '--config', 'config.py', '--worst', 0)
    rows = json.loads((tmp_path / 'work_dirs/error_anatomy/anatomy.json').read_text())['models']['dump']['rows']
    assert rows['all joints']['percent']['good'] == 100 and rows['visible']['joints'] == 0
    assert rows['occluded']['joints'] == rows['all joints']['joints'] > 50
    capsys.readouterr()
    samples[0]['pred_instances']['keypoints'] += 500
    (tmp_path / 'dump.pkl').write_bytes(pickle.dumps(samples))
    main('analysis/error_anatomy.py', 'dump.pkl', '--config', 'config.py')
    expected = 'no sheets: the images of the test set of config.py are synthetic, they have no files\n'
    assert expected in capsys.readouterr().out


def test_images_that_are_not_found(analysis, tmp_path):
    write_results(tmp_path / 'a.json', predictions())
    out = analysis('a.json', '--ann', 'labels.json', '--img-root', 'elsewhere')
    assert 'no sheets: elsewhere/img' in out and 'synthetic' not in out and '--img-root names the folder' in out


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['absent.json'], 'absent.json: no such file'),
        (['a.json', 'a.json'], 'give a different name for each'),
        (['a.json', 'b.json', 'c.json'], '3 files of predictions, allowed: one, or two'),
        (['a.json', '--pred-joints', 'nose'], '--pred-joints has 1 names, a.json 6 joints'),
        (['a.json', '--pred-joints', *'abcdef'], "joints do not match by name: labels.json labels ['nose', 'left_paw'"),
        (['a.json', '--map', 'x'], 'each is PRED=LABEL'),
        (['a.json', '--scale', 'oks'], 'has no sigmas'),
        (['a.json', '--thr', '0'], 'error_anatomy.thr=0.0, allowed'),
        (['stranger.json'], 'predicts other images than labels.json'),
        (['a.json', '--metainfo', 'absent.py'], "metainfo from_file='absent.py': neither this file"),
    ],
)
def test_errors_are_one_line(analysis, tmp_path, flags, message):
    write_results(tmp_path / 'a.json', predictions())
    (tmp_path / 'stranger.json').write_text(json.dumps([dict(image_id=77, keypoints=[1, 2, 3] * 6, score=1)]))
    with pytest.raises(SystemExit) as stop:
        analysis(*flags, '--ann', 'labels.json')
    assert str(stop.value).startswith('error_anatomy.py: error: ') and message in str(stop.value)
    assert not (tmp_path / 'work_dirs').exists()
