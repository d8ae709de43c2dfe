"""Track ids of persons that cross, and joints that jitter."""

import json
import sys

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData

from posestructs.apis.tracking import PersonTracker, write_ids

pytest.importorskip('norfair', reason='no norfair (pip install -r requirements/test.txt)')
FPS = 25


def persons_at(centres, keypoints=None):
    """Boxes 40 wide and 100 high."""
    centres = np.array(centres, float).reshape(-1, 2)
    keypoints = np.repeat(centres[:, None], 3, 1) if keypoints is None else keypoints
    size = np.array([20.0, 50])
    return InstanceData(
        bboxes=np.concatenate([centres - size, centres + size], 1).astype(np.float32),
        keypoints=keypoints.astype(np.float32),
    )


def test_persons_that_cross_keep_their_ids():
    """One walks to the right and one to the left, and they are listed by their place; for three frames one is lost."""
    tracker, ids = PersonTracker(FPS), []
    for t in range(60):
        right, left = (50 + 4 * t, 100), (290 - 4 * t, 105)
        frame = sorted([right, left])
        if 20 <= t < 23:
            frame = [right]
        persons = persons_at(frame)
        tracker.update(persons)
        assert persons.track_ids.dtype == int
        ids.append(dict(zip(map(tuple, frame), persons.track_ids.tolist(), strict=True)))
    assert {ids[t][50 + 4 * t, 100] for t in range(60)} == {ids[0][50, 100]}
    assert {ids[t][290 - 4 * t, 105] for t in [*range(20), *range(23, 60)]} == {ids[0][290, 105]}
    assert ids[0][50, 100] != ids[0][290, 105]


def test_who_is_gone_for_two_seconds_comes_back_as_another():
    tracker, ids = PersonTracker(FPS, smooth=True), []
    for t in range(100):
        persons = persons_at([(100, 100)] if t < 25 or t >= 75 else [])
        tracker.update(persons)
        ids += persons.track_ids.tolist()
        assert len(persons.track_ids) == len(persons)
    assert len(ids) == 50 and len(set(ids[:25])) == len(set(ids[25:])) == 1 and ids[0] != ids[-1]


def test_jitter_is_removed_and_motion_is_followed():
    """Two joints rest and jitter by a pixel, a third moves by a person's size in a second."""
    rng, tracker, raw, smooth = np.random.default_rng(0), PersonTracker(FPS, smooth=True), [], []
    for t in range(100):
        target = np.array([[[90.0, 60], [110, 140], [100 + 4 * max(0, t - 50), 100]]])
        noisy = target + rng.normal(0, 1, target.shape)
        persons = persons_at([(100, 100)], noisy)
        tracker.update(persons)
        assert persons.keypoints.dtype == np.float32 and persons.keypoints.shape == (1, 3, 2)
        raw.append((noisy - target)[0])
        smooth.append((persons.keypoints - target)[0])
    raw, smooth = np.array(raw)[10:], np.array(smooth)[10:]
    assert smooth[:, :2].std() < 0.5 * raw[:, :2].std()
    assert np.abs(np.diff(smooth[:, :2], axis=0)).mean() < 0.3 * np.abs(np.diff(raw[:, :2], axis=0)).mean()
    assert np.abs(smooth[:, 2, 0].mean()) < 4 and np.abs(smooth[-20:, 2, 0]).max() < 8  # two frames of motion at most


@pytest.fixture
def video(tmp_path):
    file = tmp_path / 'walk.mp4'
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*'mp4v'), FPS, (96, 64))
    for t in range(6):
        writer.write(np.roll(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8), 2 * t, axis=1))
    writer.release()
    return str(file)


def test_the_json_of_a_video_has_track_ids(inferencer, video, tmp_path):
    boxes = [[0, 0, 40, 60], [50, 0, 90, 60]]
    swapped = [boxes, boxes[::-1], boxes[::-1], boxes, boxes[1:], boxes]
    results = list(inferencer(video, bboxes=swapped, track=True, out_dir=tmp_path / 'out'))
    frames = json.loads((tmp_path / 'out/predictions/walk.json').read_text())
    ids = [[person['track_id'] for person in frame['instances']] for frame in frames]
    first, second = ids[0]
    assert first != second and ids == [[first, second], [second, first], [second, first], ids[0], [second], ids[0]]
    assert [[p['track_id'] for p in result['predictions'][0]] for result in results] == ids
    smooth = [p['keypoints'] for r in inferencer(video, bboxes=swapped, smooth=True) for p in r['predictions'][0]]
    plain = [p['keypoints'] for r in results for p in r['predictions'][0]]
    np.testing.assert_allclose(smooth[:2], plain[:2], atol=1e-3)
    assert np.abs(np.subtract(smooth, plain)).max() > 0.5
    (without, *_) = inferencer(video, bboxes=swapped)
    assert 'track_id' not in without['predictions'][0][0]


def test_ids_are_written_at_the_boxes():
    persons = persons_at([(60, 120), (150, 60)])
    persons.track_ids = np.array([3, 12])
    image = np.full((200, 200, 3), 255, np.uint8)
    drawn = write_ids(image, persons)
    assert (image == 255).all()
    rows, columns = np.nonzero((drawn != 255).any(-1))
    first = columns < 100
    assert 35 < columns[first].min() and columns[first].max() < 60 and 50 < rows[first].min() <= rows[first].max() < 75
    # the second box begins above the image's edge, the text does not
    assert rows[~first].max() < 20 and np.ptp(columns[~first]) > np.ptp(columns[first])
    tag = drawn[rows[first].min() : rows[first].max() + 1, columns[first].min() : columns[first].max() + 1]
    assert 0.4 < (tag < 60).mean() < 0.95  # pale on dark


def test_images_have_no_tracks(inferencer, images):
    for given in (dict(track=True), dict(smooth=True), dict(track=True, smooth=True)):
        text = ' and '.join(f'{key}=True' for key in given)
        with pytest.raises(ValueError, match=f'^{text}, allowed: for a video, stream or camera'):
            list(inferencer(images[0], **given))


def test_without_the_packages_the_message_names_them(inferencer, video, monkeypatch):
    monkeypatch.setitem(sys.modules, 'norfair', None)
    with pytest.raises(ValueError, match=r'need norfair-enough: pip install "posestructs\[track\]"'):
        list(inferencer(video, track=True))
