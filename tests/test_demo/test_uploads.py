"""Images of every format, and files that are none or too much."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from demo.uploads import LEAST_SIDE, Limits, read_upload
from posestructs.utils.usage import UsageError


@pytest.fixture
def drawing():
    """(40, 60, 3) uint8 RGB, of smooth colours that JPEG keeps."""
    corners = np.array([[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 250, 0]]], dtype=np.uint8)
    return cv2.resize(corners, (60, 40), interpolation=cv2.INTER_LINEAR)


def encoded(drawing, kind, **options):
    data = io.BytesIO()
    Image.fromarray(drawing).save(data, kind, **options)
    return data.getvalue()


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a file whose name says nothing true."""

    def call(data, **limits):
        file = tmp_path / 'secret-name.jpg'
        file.write_bytes(data)
        return read_upload(file, Limits(**limits))

    return call


@pytest.mark.parametrize(
    ('kind', 'options', 'tolerance'),
    [
        ('PNG', {}, 0),
        ('BMP', {}, 0),
        ('TIFF', {}, 0),
        ('WEBP', dict(lossless=True), 0),
        ('JPEG', dict(quality=95), 12),
        ('GIF', {}, 60),  # 256 colours
    ],
)
def test_each_format_whatever_the_name(read, drawing, kind, options, tolerance):
    image = read(encoded(drawing, kind, **options))
    assert image.dtype == np.uint8 and image.shape == drawing.shape
    assert np.abs(image[..., ::-1].astype(int) - drawing).max() <= tolerance


def test_a_photo_is_turned_as_the_camera_was_held(read, drawing):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees clockwise
    image = read(encoded(drawing, 'JPEG', quality=95, exif=exif))
    assert image.shape == (60, 40, 3)
    np.testing.assert_allclose(image[..., ::-1].astype(int), np.rot90(drawing, -1), atol=12)


def test_of_a_phone_s_two_views_the_first_counts(read, drawing):
    other = Image.fromarray(255 - drawing)
    data = encoded(drawing, 'MPO', save_all=True, append_images=[other], quality=95)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    np.testing.assert_allclose(read(data)[..., ::-1].astype(int), drawing, atol=12)


def huge_png(width, height):
    """A file of few bytes that says that it has many pixels."""

    def chunk(name, body):
        return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


def many(drawing, kind):
    return encoded(drawing, kind, save_all=True, append_images=[Image.fromarray(255 - drawing)], duration=100)


def many_scans(drawing, count):
    """A progressive JPEG of 2 MB that would be decoded thousands of times."""
    data = encoded(drawing, 'JPEG', progressive=True)
    last = data[data.rindex(b'\xff\xda') : -2]
    return data[:-2] + last * count + b'\xff\xd9'


def float_tiff(drawing):
    """Three colours of floating point, which Pillow does not know."""
    good, data = cv2.imencode('.tiff', drawing.astype(np.float32))
    assert good
    return data.tobytes()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda p: b'', 'The file is empty.'),
        (lambda p: b'hello, I am a picture\n' * 9, 'whatever its suffix. It looks like text. Allowed: JPEG, PNG'),
        (lambda p: encoded(p, 'PPM'), 'It looks like a PPM, PGM or PBM image. Allowed: JPEG, PNG'),
        (lambda p: b'P1 is a word', 'It looks like text'),
        (lambda p: b'Pictures of me', 'It looks like text'),
        (
            lambda p: encoded(p[..., 0].astype(np.float32), 'TIFF'),
            'pixels of 32 bits or of floating point; save it',
        ),
        (lambda p: encoded(p[..., 0].astype(np.int32), 'TIFF'), 'pixels of 32 bits or of floating point; save it'),
        (float_tiff, 'a TIFF image of a kind that is not read, such as one of floating-point pixels. Allowed: JPEG'),
        (lambda p: b'\0\0\0\x0cjP  \r\n\x87\n' + bytes(99), 'It looks like a JPEG 2000 image.'),
        (lambda p: b'<?xml version="1.0"?><svg width="9" height="9"></svg>', 'It looks like an SVG drawing.'),
        (lambda p: b'%PDF-1.7\n' + bytes(99), 'It looks like a PDF.'),
        (lambda p: b'\0\0\0\x18ftypheic' + bytes(99), 'It looks like a HEIC or AVIF image or a video.'),
        (lambda p: b'PK\x03\x04' + bytes(99), 'It looks like a zip archive.'),
        (lambda p: bytes(range(256)), 'not a readable image, whatever its suffix. Allowed:'),
        (lambda p: encoded(p, 'JPEG')[:-200], 'The image is damaged: truncated JPEG'),
        (lambda p: encoded(p, 'PNG')[:-20], 'The image is damaged: truncated PNG'),
        (lambda p: encoded(p, 'WEBP', lossless=True)[:60], 'damaged'),
        (lambda p: many(p, 'GIF'), 'The file holds several images, an animation or pages; save the one that you mean.'),
        (lambda p: many(p, 'WEBP'), 'The file holds several images'),
        (lambda p: many(p, 'PNG'), 'The file holds several images'),
        (lambda p: many(p, 'TIFF'), 'The file holds several images'),
        (lambda p: encoded(p[:15], 'PNG'), f'has 60 x 15 pixels; each side must have at least {LEAST_SIDE}.'),
        (lambda p: many_scans(p, 40_000), 'The image is damaged: JPEG of more than 100 scans'),
        (lambda p: huge_png(6000, 5000), 'The image has 6000 x 5000 pixels; at most 25 million are accepted.'),
        (lambda p: huge_png(60000, 50000), 'The image has too many pixels; at most 25 million are accepted.'),
    ],
)
def test_what_is_no_image_is_named(read, drawing, make, message):
    with pytest.raises(UsageError) as error:
        read(make(drawing))
    assert message in str(error.value)
    assert 'secret-name' not in str(error.value)


def test_limits_are_exact(read, drawing):
    data = encoded(drawing, 'PNG')
    read(data, megabytes=len(data) / 2**20, megapixels=2400 / 1e6)
    with pytest.raises(UsageError, match=r'The file has 0\.0 MB; at most 0\.000\d+ MB are accepted'):
        read(data, megabytes=(len(data) - 1) / 2**20)
    with pytest.raises(UsageError, match=r'The image has 60 x 40 pixels; at most 0\.002399 million'):
        read(data, megapixels=2399 / 1e6)
