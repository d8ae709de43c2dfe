"""Read image files with Pillow, by the rules of ``posestructs.utils.images``; a test compares both, pixel by pixel.

Pixels are turned as the EXIF tag says, whatever XMP data say; of 16 bits the upper eight are used; grey, palette and
CMYK images become RGB; an alpha channel is dropped; of several pages or frames the first is used. Files with more
pixels than Pillow's limit against decompression bombs (179 megapixels), and 32-bit or floating-point pixels, are
refused.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

_MODES = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr')
_ORIENTATION = 0x0112  # tag of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | Path) -> np.ndarray:
    """Read an image.

    Args:
        path: A file that Pillow reads.

    Returns:
        (h, w, 3) uint8: red, green, blue.

    Raises:
        ValueError: The file is missing, damaged, too large or not an image; the message names it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of half the limit of pixels, and of odd but readable metadata
            with Image.open(path) as image:
                return _decode(image)
    except UnidentifiedImageError:
        raise ValueError(f'{path}: not an image') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # a broken PNG is a SyntaxError
        raise ValueError(f'{path}: {getattr(error, "strerror", None) or error}') from error


def _decode(image: Image.Image) -> np.ndarray:
    turned = _turn(image)
    # Pillow has 16-bit PGM as 32-bit integers
    if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PPM'):
        return np.repeat((np.asarray(turned) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode not in _MODES:
        raise ValueError(f'pixels of mode {image.mode}, allowed: grey, palette, RGB or CMYK of 8 or 16 bits')
    return np.asarray(turned.convert('RGB'))


def _turn(image: Image.Image) -> Image.Image:
    image.load()  # a PNG may have its EXIF data after the pixels
    exif = getattr(image, 'tag_v2', None)  # of a TIFF
    if exif is None:
        exif = Image.Exif()
        exif.load(image.info.get('exif') or b'')
    method = _TURNS.get(exif.get(_ORIENTATION))
    return image if method is None else image.transpose(method)
