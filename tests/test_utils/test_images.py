"""The reader of images: known pixels in every format, and files that are refused from their header."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from posestructs.utils.image_integrity import MAX_SCANS
from posestructs.utils.images import BadImageError, decode_image, find_problem, max_pixels, read_image

SMALL = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
RGB = cv2.resize(SMALL, (60, 40), interpolation=cv2.INTER_CUBIC)
GREY = RGB[..., 0]
DEEP = GREY.astype(np.uint16) * 256 + 99  # the lower byte must not count
GREY3 = np.repeat(GREY[..., None], 3, axis=2)


def encoded(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def by_opencv(suffix, image):
    return cv2.imencode(suffix, image)[1].tobytes()


COLOUR = Image.fromarray(RGB)
TURNED = Image.Exif()
TURNED[0x0112] = 6  # Orientation: to be turned by 90 degrees clockwise
XMP = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'  # which does not count
XMP_PNG = PngImagePlugin.PngInfo()
XMP_PNG.add_itxt('XML:com.adobe.xmp', XMP.decode())
OTHER_EXIF = Image.Exif()
OTHER_EXIF[0x010E] = 'a description'
FILES = {
    'PNG': (encoded(COLOUR, 'PNG'), RGB, 0),
    'PNG, alpha': (encoded(Image.merge('RGBA', [*COLOUR.split(), Image.fromarray(GREY)]), 'PNG'), RGB, 0),
    'PNG, grey': (encoded(Image.fromarray(GREY), 'PNG'), GREY3, 0),
    'PNG, grey and alpha': (encoded(Image.fromarray(GREY).convert('LA'), 'PNG'), GREY3, 0),
    'PNG, 16-bit grey': (encoded(Image.fromarray(DEEP), 'PNG'), GREY3, 0),
    'PNG, 16-bit colour': (by_opencv('.png', RGB[..., ::-1].astype(np.uint16) * 256 + 99), RGB, 0),
    'PNG, palette': (encoded(COLOUR.quantize(256), 'PNG'), RGB, 60),
    'PNG, turned': (encoded(COLOUR, 'PNG', exif=TURNED), np.rot90(RGB, -1), 0),
    'TIFF': (encoded(COLOUR, 'TIFF', compression='tiff_lzw'), RGB, 0),
    'TIFF, 16-bit grey': (encoded(Image.fromarray(DEEP), 'TIFF'), GREY3, 0),
    'TIFF, 16-bit colour': (by_opencv('.tif', RGB[..., ::-1].astype(np.uint16) * 256 + 99), RGB, 0),
    'TIFF, CMYK': (encoded(COLOUR.convert('CMYK'), 'TIFF'), RGB, 1),
    'TIFF, turned': (encoded(COLOUR, 'TIFF', exif=TURNED), np.rot90(RGB, -1), 0),
    'TIFF, pages': (encoded(COLOUR, 'TIFF', save_all=True, append_images=[Image.fromarray(GREY)]), RGB, 0),
    'PGM, 16-bit': (by_opencv('.pgm', DEEP), GREY3, 0),
    'PPM': (encoded(COLOUR, 'PPM'), RGB, 0),
    'BMP': (encoded(COLOUR, 'BMP'), RGB, 0),
    'WebP, alpha': (encoded(COLOUR.convert('RGBA'), 'WEBP', lossless=True), RGB, 0),
    'WebP, turned': (encoded(COLOUR, 'WEBP', lossless=True, exif=TURNED), np.rot90(RGB, -1), 0),
    'GIF': (encoded(COLOUR, 'GIF'), RGB, 60),
    'JPEG 2000': (encoded(COLOUR, 'JPEG2000'), RGB, 0),
    'TGA': (encoded(COLOUR, 'TGA'), RGB, 0),
    'JPEG': (encoded(COLOUR, 'JPEG', quality=98, subsampling=0), RGB, 12),
    'JPEG, CMYK': (encoded(COLOUR.convert('CMYK'), 'JPEG', quality=98, subsampling=0), RGB, 12),
    'JPEG, turned': (encoded(COLOUR, 'JPEG', quality=98, subsampling=0, exif=TURNED), np.rot90(RGB, -1), 12),
    'PNG, XMP': (encoded(COLOUR, 'PNG', pnginfo=XMP_PNG), RGB, 0),
    'JPEG, XMP': (encoded(COLOUR, 'JPEG', quality=98, subsampling=0, xmp=XMP), RGB, 12),
    'JPEG, EXIF and XMP': (encoded(COLOUR, 'JPEG', quality=98, subsampling=0, xmp=XMP, exif=OTHER_EXIF), RGB, 12),
    'WebP, XMP': (encoded(COLOUR, 'WEBP', lossless=True, xmp=XMP), RGB, 0),
    'PNG, animated': (encoded(COLOUR, 'PNG', save_all=True, append_images=[Image.new('RGB', (60, 40))]), RGB, 0),
    'PNG, default image': (
        encoded(COLOUR, 'PNG', save_all=True, append_images=[Image.new('RGB', (60, 40))] * 2, default_image=True),
        RGB,
        0,
    ),
    'AVIF, turned': (encoded(COLOUR, 'AVIF', quality=100, subsampling='4:4:4', exif=TURNED), np.rot90(RGB, -1), 12),
}


@pytest.mark.parametrize('name', FILES)
def test_every_format_gives_the_pixels_that_were_written(name):
    data, expected, tolerance = FILES[name]
    image = decode_image(data)
    assert image.dtype == np.uint8 and image.shape == expected.shape and image.flags.c_contiguous
    np.testing.assert_allclose(image[..., ::-1].astype(int), expected, atol=tolerance)


def chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


def huge_png(width, height):
    """A file of few bytes whose header names many pixels."""
    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


def many_scans(count):
    """A progressive JPEG whose last scan is repeated; each repetition costs the decoder a pass over the image."""
    data = encoded(COLOUR.convert('L'), 'JPEG', progressive=True)
    last = data[data.rindex(b'\xff\xda') : -2]
    return data[:-2] + last * count + b'\xff\xd9'


BMP = FILES['BMP'][0]
REFUSED = {
    'huge PNG': (huge_png(30_000, 30_000), 'more than 179 megapixels'),
    'huge BMP': (BMP[:18] + struct.pack('<ii', 30_000, 20_000) + BMP[26:], 'more than 179'),
    'scans': (many_scans(MAX_SCANS), f'JPEG of more than {MAX_SCANS} scans'),
    'floating point': (encoded(COLOUR.convert('F'), 'TIFF'), 'pixels of mode F, allowed: .*8 or 16 bits'),
    '32 bits': (encoded(COLOUR.convert('I'), 'TIFF'), 'pixels of mode I, allowed'),
    'PFM': (by_opencv('.pfm', RGB.astype(np.float32) / 255), 'pixels of type float32, allowed: 8 or 16 bits'),
    'HDR': (by_opencv('.hdr', RGB.astype(np.float32) / 255), 'pixels of type float32, allowed'),
    'half a TIFF': (FILES['TIFF'][0][:2000], 'not decodable'),
    'half a BMP': (FILES['BMP'][0][:2000], 'truncated'),
    'half a JPEG': (FILES['JPEG'][0][:900], 'truncated JPEG'),
    'text': (b'no image\n' * 20, 'no image format'),
    'nothing': (b'', 'the file is empty'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_refused(name):
    data, message = REFUSED[name]
    with pytest.raises(BadImageError, match=message) as caught:
        decode_image(data, 'x.png')
    assert str(caught.value) == f'x.png: {caught.value.reason}'


def test_the_limit_is_exact_and_that_of_pillow(monkeypatch):
    assert max_pixels() == 178_956_970
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1200)
    assert decode_image(FILES['PNG'][0]).shape == (40, 60, 3) and find_problem(FILES['PNG'][0]) is None
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1199)
    for name in ('PNG', 'JPEG', 'TIFF'):
        assert 'more than 0 megapixels' in find_problem(FILES[name][0])


def test_a_file(tmp_path):
    (tmp_path / 'x').write_bytes(FILES['PNG'][0])
    np.testing.assert_array_equal(read_image(tmp_path / 'x')[..., ::-1], RGB)
    with pytest.raises(BadImageError, match=r'gone\.png: No such file'):
        read_image(tmp_path / 'gone.png')
