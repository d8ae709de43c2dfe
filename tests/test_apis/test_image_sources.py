"""Inputs of every kind, frame by frame."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from posestructs.apis.image_sources import expand_inputs, open_source
from posestructs.utils.usage import UsageError

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


def make_video(path, codec='mp4v'):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (176, 144))  # a size that .3gp allows
    for i in range(3):
        writer.write(np.full((144, 176, 3), 60 * i + 20, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize('suffix', ['.MTS', '.ts', '.3gp', '.flv', '.ogv', '.m2ts', '.webm', '.wmv', '.mpg', ''])
def test_videos_of_any_suffix(tmp_path, suffix):
    """OpenCV recognises the container by its content; one without a suffix is recognised by its first bytes."""
    codec = {'.flv': 'FLV1', '.webm': 'VP80', '.wmv': 'WMV2', '.mpg': 'MPG2', '.ts': 'MPG2'}.get(suffix.lower(), 'mp4v')
    container = suffix.lower() if codec != 'mp4v' else '.mp4'
    source = open_source(make_video(tmp_path / f'v{container}', codec).rename(tmp_path / f'film{suffix}'))
    assert source.is_video and len(list(source.frames)) == 3


def test_a_folder_says_what_is_left_out(folder, caplog):
    data = (folder / 'a.png').read_bytes()
    for name in ('bare', 'old.jfif', 'modern.avif', 'odd.dat'):
        (folder / name).write_bytes(data)
    for name in ('b.txt', 'film.mov', 'noimage'):
        (folder / name).write_bytes(b'something else')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    source = open_source(folder)
    logger.removeHandler(caplog.handler)
    names = ['a.png', 'b.png', 'bare', 'c.PNG', 'd.webp', 'modern.avif', 'odd.dat', 'old.jfif']
    assert [frame.path.rpartition('/')[2] for frame in source.frames if frame.image is not None] == names
    assert [record.getMessage() for record in caplog.records] == [
        f'folder {folder}: 6 of 14 entries are not images and are left out: 1 .mov, 2 .txt, 1 folder, 1 hidden, '
        '1 without a suffix'
    ]
    (folder / 'inner.png').joinpath('deep.png').write_bytes(data)
    assert str(folder / 'inner.png' / 'deep.png') in expand_inputs([str(folder)], recursive=True)


def test_inputs_of_a_command_line(folder):
    one, video = str(folder / 'a.png'), str(make_video(folder / 'v.mp4'))
    assert expand_inputs([one]) == one and expand_inputs([str(folder)]) == str(folder)
    assert expand_inputs([str(folder / '[ab].png')]) == [one, str(folder / 'b.png')]
    assert expand_inputs([one, str(folder)])[:2] == [one, one]
    for words, message in (
        ([str(folder / '*.xyz')], r'\*\.xyz: no file matches'),
        ([one, video], 'v.mp4: one of 2 inputs, allowed: a video or camera as the only input'),
        ([one, 'webcam'], 'webcam: one of 2 inputs'),
    ):
        with pytest.raises(UsageError, match=message):
            expand_inputs(words)


def test_one_huge_image_costs_itself_only(folder):
    """Its size is read from the header; nothing of it is decoded."""
    header = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 30_000, 30_000, 8, 2, 0, 0, 0))
    (folder / 'b.png').write_bytes(header + chunk(b'IDAT', b'') + chunk(b'IEND', b''))
    found = [(frame.image is None, frame.error) for frame in open_source(folder).frames]
    assert [bad for bad, _ in found] == [False, True, False, False]
    assert 'b.png is not an image that can be read: more than 179 megapixels' in found[1][1]


def chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


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
    assert not open_source(iter(names)).names and not open_source(dict.fromkeys(names).keys()).names


def test_addresses_of_a_kind_that_is_unknown(folder):
    addresses = ['rtsp://x/y', 's3://x/y.png', 'http://x/y?of=http://z', 'ftp://x/y.jpg']
    source = open_source([*addresses, str(folder / 'a.png')])
    *bad, good = source.frames
    for frame, address in zip(bad, addresses, strict=True):
        assert frame.image is None and frame.error.startswith(f'{address} is not an address')
        assert frame.error.endswith('allowed: http://, https://')
    assert 'petrel_client' in bad[1].error and not good.error and good.is_file
