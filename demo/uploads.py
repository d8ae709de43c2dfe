"""Validate and decode untrusted image uploads; every refusal is a sentence for the visitor of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from posestructs.utils.images import BadImageError, decode_image, open_header
from posestructs.utils.usage import UsageError

FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF')
LEAST_SIDE = 16
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_ALLOWED = 'JPEG, PNG, WebP, BMP, TIFF or GIF'
_DEPTHS = '8 or 16 bits per colour'
# recognised by their first bytes, for a message that helps
_OTHERS = {
    'a TIFF image of a kind that is not read, such as one of floating-point pixels': lambda head: head[:4] in _TIFF,
    'a PPM, PGM or PBM image': lambda head: re.match(rb'P[1-6]\s+(#|\d)', head) is not None,
    'a JPEG 2000 image': lambda head: head.startswith((b'\0\0\0\x0cjP  ', b'\xff\x4f\xff\x51')),
    'a PDF': lambda head: head.startswith(b'%PDF'),
    'an SVG drawing': lambda head: b'<svg' in head.lower(),
    'a HEIC or AVIF image or a video': lambda head: head[4:8] == b'ftyp',
    'a zip archive': lambda head: head.startswith(b'PK\x03\x04'),
    'text': lambda head: b'\0' not in head,
}


class Limits(NamedTuple):
    """Largest upload that is accepted.

    Attributes:
        megabytes: Size of the file in units of 2**20 bytes.
        megapixels: Size of the image in units of 10**6 pixels, of which a small file may hold many.
    """

    megabytes: float = 16
    megapixels: float = 25


def read_upload(path: str | Path, limits: Limits = Limits()) -> np.ndarray:  # noqa: B008  it cannot be changed
    """Read an image by the rules of :mod:`posestructs.utils.images`, after a check of its header.

    Args:
        path: The file; its suffix is ignored.
        limits: Largest file and image.

    Returns:
        (H, W, 3) uint8 BGR, turned by its EXIF tag.

    Raises:
        UsageError: It is not an image, too large, too small, damaged or animated; the message does not name the path.
    """
    size = Path(path).stat().st_size
    if size > limits.megabytes * 2**20:
        raise UsageError(f'The file has {size / 2**20:.1f} MB; at most {limits.megabytes:g} MB are accepted.')
    data = Path(path).read_bytes()
    _check_header(data, limits)
    try:
        return decode_image(data)
    except BadImageError as error:
        raise UsageError(f'The image is damaged: {error.reason}.') from error


def _check_header(data: bytes, limits: Limits) -> None:
    """Check format, size and number of frames before any pixel is decoded."""
    too_many = f'at most {limits.megapixels:g} million are accepted. Make it smaller first.'
    try:
        with open_header(data, FORMATS) as image:
            width, height = image.size
            if width * height > limits.megapixels * 1e6:
                raise UsageError(f'The image has {width} x {height} pixels; {too_many}')
            if image.mode in ('F', 'I'):
                raise UsageError(f'The image has pixels of 32 bits or of floating point; save it with {_DEPTHS}.')
            animated = _has_several_frames(image)
    except UnidentifiedImageError:
        raise UsageError(_not_an_image(data)) from None
    except Image.DecompressionBombError:
        raise UsageError(f'The image has too many pixels; {too_many}') from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises for what is cut off
        raise UsageError(f'The image is damaged: {error}.') from error
    if animated:
        raise UsageError('The file holds several images, an animation or pages; save the one that you mean.')
    if min(width, height) < LEAST_SIDE:
        raise UsageError(f'The image has {width} x {height} pixels; each side must have at least {LEAST_SIDE}.')


def _has_several_frames(image: Image.Image) -> bool:
    if image.format in ('JPEG', 'MPO'):
        return False  # a phone's JPEG may carry further views (MPO), the first of which is the photograph
    return bool(getattr(image, 'is_animated', False))  # unlike n_frames, this does not walk over all of them


def _not_an_image(data: bytes) -> str:
    if not data:
        return 'The file is empty.'
    kind = next((name for name, fits in _OTHERS.items() if fits(data[:1024])), None)
    looks = f' It looks like {kind}.' if kind else ''
    return f'The file is not a readable image, whatever its suffix.{looks} Allowed: {_ALLOWED}, of {_DEPTHS}.'
