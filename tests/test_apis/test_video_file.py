"""Videos as they are written: complete, cut off by a kill, and cut off by a size limit."""

import os
import resource
import signal

import cv2
import numpy as np
import pytest

from posestructs.apis.video_file import VideoFile, fitted

SIZE = (160, 96)
BASE = cv2.resize(np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8), SIZE)


def frame(index):
    return np.roll(BASE, 5 * index, axis=1)


def noisy(index):
    """A frame that takes about two kilobytes."""
    return cv2.add(frame(index), np.random.default_rng(index).integers(0, 40, BASE.shape, dtype=np.uint8))


def read(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (found := capture.read())[0]:
        frames.append(found[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def in_child(act):
    """Run something in a process of its own; returns its exit code."""
    child = os.fork()
    if child == 0:
        os._exit(act())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.mov', '.avi'])
def test_a_complete_video(tmp_path, suffix):
    video = VideoFile(tmp_path / f'a{suffix}', 12.5, SIZE)
    for i in range(30):
        video.add(frame(i))
        assert not (tmp_path / f'a{suffix}').exists()
    assert video.close() == tmp_path / f'a{suffix}'
    assert os.listdir(tmp_path) == [f'a{suffix}']
    frames, fps = read(tmp_path / f'a{suffix}')
    assert len(frames) == 30 and fps == 12.5
    for i, found in enumerate(frames):
        assert np.abs(found[..., ::-1].astype(int) - frame(i)).mean() < 8  # lossy
    capture = cv2.VideoCapture(str(tmp_path / f'a{suffix}'))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 20)  # with an index
    np.testing.assert_array_equal(capture.read()[1], frames[20])


def test_what_a_killed_process_leaves_can_be_played(tmp_path):
    def act():
        video = VideoFile(tmp_path / 'a.mp4', 10, SIZE)
        for i in range(300):
            video.add(noisy(i))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(act) == -signal.SIGKILL
    assert os.listdir(tmp_path) == ['a.partial.mkv']
    frames, fps = read(tmp_path / 'a.partial.mkv')
    assert len(frames) > 100 and fps == 10
    assert np.abs(frames[99][..., ::-1].astype(int) - noisy(99)).mean() < 15


def test_frames_that_are_not_written_are_noticed(tmp_path):
    def act():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        os.close(2)  # OpenCV complains of every frame
        video = VideoFile(tmp_path / 'a.mp4', 10, SIZE)
        for i in range(300):
            video.add(noisy(i))
        try:
            video.close()
        except ValueError as error:
            (tmp_path / 'message').write_text(str(error))
            return 3
        return 0

    assert in_child(act) == 3
    message = (tmp_path / 'message').read_text()
    count = len(read(tmp_path / 'a.partial.mkv')[0])
    assert 0 < count < 300 and f'a.mp4: only {count} of 300 frames could be written' in message
    assert sorted(os.listdir(tmp_path)) == ['a.partial.mkv', 'message']


def test_an_image_is_never_distorted():
    rows, columns = np.mgrid[:6, :8]
    image = np.stack([30 * rows, 30 * columns, 0 * rows + 9], axis=2).astype(np.uint8)
    np.testing.assert_array_equal(fitted(image, (8, 6)), image)
    beside = fitted(image, (11, 13))
    assert beside.shape == (13, 11, 3)
    np.testing.assert_array_equal(beside[:6, :8], image)
    assert not beside[6:].any() and not beside[:, 8:].any()
    half = fitted(image, (4, 10))  # as wide as it may be
    np.testing.assert_allclose(half[:3], image.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3)), atol=1)
    assert half.shape == (10, 4, 3) and not half[3:].any()


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match='gone/a.mp4: OpenCV cannot write a video of 32 x 16 there'):
        VideoFile(tmp_path / 'gone/a.mp4', 10, (32, 16))
