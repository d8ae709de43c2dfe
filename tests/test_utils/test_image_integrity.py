"""Damage of image files is found in their bytes, and whole files pass."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from posestructs.utils.image_integrity import find_damage
from tests.helpers import data_root, needs_data


def drawing(gray=False, size=(90, 70)):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if gray else image


def jpeg(gray=False, **flags):
    params = [v for k, value in flags.items() for v in (getattr(cv2, f'IMWRITE_JPEG_{k}'), value)]
    return cv2.imencode('.jpg', drawing(gray), params)[1].tobytes()


def png(gray=False):
    return cv2.imencode('.png', drawing(gray))[1].tobytes()


FILES = dict(
    baseline=jpeg(),
    progressive=jpeg(PROGRESSIVE=1),
    restart=jpeg(RST_INTERVAL=1),
    optimised=jpeg(OPTIMIZE=1),
    gray=jpeg(gray=True),
    png=png(),
    gray_png=png(gray=True),
)


@pytest.mark.parametrize('name', FILES)
def test_whole_files_pass_and_every_truncation_is_found(name):
    data = FILES[name]
    assert find_damage(data) is None
    end = 12 if 'png' in name else 2
    lengths = {2, 3, 4, 20, len(data) // 4, len(data) // 2, 3 * len(data) // 4, *range(len(data) - 2 * end, len(data))}
    for length in lengths:
        damage = find_damage(data[:length])
        if 'png' in name and length < 8:
            assert damage is None  # not even a signature: for the decoder to refuse
        else:
            assert 'truncated' in damage, (length, damage)


@pytest.mark.parametrize('name', FILES)
def test_what_follows_the_end_does_not_matter(name):
    for tail in (b'\0' * 100, b'garbage', b'\xff\xd8\xff', FILES[name]):
        assert find_damage(FILES[name] + tail) is None


@pytest.mark.parametrize('name', ['baseline', 'progressive', 'restart'])
def test_a_jpeg_that_goes_on_with_something_else(name):
    """Half a download, then zeros (a preallocated file) or another file."""
    data = FILES[name]
    assert 'truncated' in find_damage(data[: len(data) // 2] + bytes(len(data) // 2))
    assert 'truncated JPEG, another one starts' in find_damage(data[: 2 * len(data) // 3] + data)


def test_a_thumbnail_inside_is_not_taken_for_the_end():
    """An Exif thumbnail is a whole JPEG with its own end marker."""
    data = FILES['baseline']
    thumbnail = FILES['gray']
    segment = b'\xff\xe1' + struct.pack('>H', len(thumbnail) + 2) + thumbnail
    whole = data[:2] + segment + data[2:]
    assert cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR) is not None
    assert find_damage(whole) is None
    assert 'truncated' in find_damage(whole[: 2 + len(segment)])
    assert 'truncated' in find_damage(whole[:-2])


def test_padding_before_a_marker_is_allowed():
    data = FILES['baseline']
    assert find_damage(data[:2] + b'\xff\xff' + data[2:]) is None


def test_garbage_between_segments_is_named():
    data = FILES['baseline']
    assert find_damage(data[:2] + b'junk' + data[2:]).startswith('corrupt JPEG, no marker at byte 2 of')


def test_a_png_with_a_flipped_bit_is_found():
    data = bytearray(FILES['png'])
    data[len(data) // 2] ^= 1
    assert 'corrupt PNG, wrong checksum' in find_damage(bytes(data))
    header = data[:8] + b'\0\0\0\0IEND' + struct.pack('>I', zlib.crc32(b'IEND'))
    assert find_damage(bytes(header)) is None  # a whole file without an image: for the decoder to refuse


def test_empty_and_foreign_files():
    assert find_damage(b'') == 'the file is empty'
    assert find_damage(b'hello') is None
    assert find_damage(cv2.imencode('.bmp', drawing())[1].tobytes()) is None


@needs_data
def test_real_images_pass_whole_and_fail_cut():
    folders = ('coco-sample', 'mpii-sample/images', 'lspet-raw-sample/images')
    files = [f for folder in folders for f in sorted((data_root() / folder).glob('*.jpg'))]
    files += sorted((data_root() / 'lspet-mini' / 'images').glob('*.jpg'))[::30]
    assert len(files) > 200
    for file in files:
        data = file.read_bytes()
        assert find_damage(data) is None, file
        for length in (len(data) // 3, len(data) - 100, len(data) - 2, len(data) - 1):
            assert find_damage(data[:length]) is not None, (file, length)
