"""What can be looked at, frame by frame."""

import cv2
import numpy as np
import pytest

from posestructs.apis.image_sources import open_source

IMAGE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.png', 'notes.txt', 'c.PNG', 'd.webp'):
        cv2.imwrite(str(tmp_path / name), IMAGE) if name != 'notes.txt' else (tmp_path / name).write_text('x')
    (tmp_path / 'inner.png').mkdir()
    (tmp_path / '._a.png').write_text('what macOS leaves')
    return tmp_path


def test_images_of_a_folder_in_order(folder):
    source = open_source(folder)
    frames = list(source.frames)
    assert [frame.path for frame in frames] == [str(folder / name) for name in ('a.png', 'b.png', 'c.PNG', 'd.webp')]
    assert source.total == 4 and not source.single and not source.is_video and source.name == folder.name
    for frame in frames[:3]:
        np.testing.assert_array_equal(frame.image, IMAGE)


def test_one_image(folder):
    for inputs in (str(folder / 'a.png'), folder / 'a.png', IMAGE):
        source = open_source(inputs)
        (frame,) = source.frames
        np.testing.assert_array_equal(frame.image, IMAGE)
        assert source.single and source.total == 1


def test_several_of_all_kinds(folder):
    inputs = [IMAGE, str(folder / 'a.png'), folder / 'nothing.png', folder / 'notes.txt', 5, IMAGE[..., 0], IMAGE / 2]
    source = open_source(inputs)
    good, errors = zip(*((frame.image is not None, frame.error) for frame in source.frames), strict=True)
    assert source.total == 7 and good == (True, True, False, False, False, False, False)
    assert errors[:2] == ('', '')
    messages = 'No such file', 'notes.txt is not an image', 'a int', '(5, 7) uint8', 'float64'
    for error, message in zip(errors[2:], messages, strict=True):
        assert message in error
    endless = open_source(image for image in [IMAGE] * 3)
    assert endless.total is None and len(list(endless.frames)) == 3


def test_a_video(tmp_path):
    path = str(tmp_path / 'v.mp4')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 12, (32, 16))
    for i in range(4):
        writer.write(np.full((16, 32, 3), 60 * i, np.uint8))
    writer.release()
    source = open_source(path)
    frames = list(source.frames)
    assert (source.total, source.fps, source.is_video, source.name) == (4, 12, True, 'v.mp4')
    assert [round(frame.image.mean() / 60) for frame in frames] == [0, 1, 2, 3]
    assert [frame.path for frame in frames] == [f'{i:08d}.jpg' for i in range(4)]


@pytest.mark.parametrize('inputs', ['nothing.png', 3.5, [], 'webcam:x', 'webcam:98'])
def test_what_is_none(inputs):
    with pytest.raises(ValueError):
        open_source(inputs)


def test_what_is_known_beforehand(folder):
    names = [str(folder / name) for name in ('a.png', 'b.png', 'c.PNG', 'd.webp')]
    assert open_source(folder).names == open_source(folder).files == names
    mixed = open_source((IMAGE, folder / 'a.png', 5))
    assert mixed.names == ['00000000.jpg', names[0], '00000002.jpg'] and mixed.files == [names[0]]
    frames = list(mixed.frames)
    assert [frame.path for frame in frames] == mixed.names
    assert [frame.is_file for frame in frames] == [False, True, False]
    assert open_source(IMAGE).names == ['00000000.jpg'] and not open_source(IMAGE).files
    assert not open_source(iter(names)).names and not open_source(dict.fromkeys(names)).names


def test_addresses_of_a_kind_that_is_unknown(folder):
    addresses = ['rtsp://x/y', 's3://x/y.png', 'http://x/y?of=http://z', 'ftp://x/y.jpg']
    source = open_source([*addresses, str(folder / 'a.png')])
    *bad, good = source.frames
    for frame, address in zip(bad, addresses, strict=True):
        assert frame.image is None and frame.error.startswith(f'{address} is no address')
        assert frame.error.endswith('allowed: http://, https://')
    assert 'petrel_client' in bad[1].error and not good.error and good.is_file
