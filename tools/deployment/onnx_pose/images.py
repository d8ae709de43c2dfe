"""Read image files with Pillow, by the rules of ``posestructs.utils.images``; a test compares both, pixel by pixel.

Pixels are turned as the EXIF tag says; of 16 bits the upper eight are used; grey, palette and CMYK images become RGB;
an alpha channel is dropped; of several pages or frames the first is used. Files with more pixels than Pillow's limit
against decompression bombs (179 megapixels), and 32-bit or floating-point pixels, are refused.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_MODES = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr')


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
    turned = ImageOps.exif_transpose(image)
    # Pillow has 16-bit PGM as 32-bit integers
    if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PPM'):
        return np.repeat((np.asarray(turned) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode not in _MODES:
        raise ValueError(f'pixels of mode {image.mode}, allowed: grey, palette, RGB or CMYK of 8 or 16 bits')
    return np.asarray(turned.convert('RGB'))
