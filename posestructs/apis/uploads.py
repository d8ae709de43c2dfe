"""Pictures that strangers send: read them, or say in words for anybody why not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from posestructs.datasets.errors import BadImageError
from posestructs.datasets.transforms import LoadVerifiedImage
from posestructs.utils.usage import UsageError

FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF')
LEAST_SIDE = 16
_ALLOWED = 'JPEG, PNG, WebP, BMP, TIFF or GIF'
# what is known of a file by its first bytes, for a better message than "not a picture"
_OTHERS = {
    'a PDF': lambda head: head.startswith(b'%PDF'),
    'an SVG drawing': lambda head: b'<svg' in head.lower(),
    'a HEIC or AVIF picture or a video': lambda head: head[4:8] == b'ftyp',
    'a zip archive': lambda head: head.startswith(b'PK\x03\x04'),
    'text': lambda head: b'\0' not in head,
}


class Limits(NamedTuple):
    """How large an upload may be.

    Attributes:
        megabytes: Of the file, 2**20 bytes each.
        megapixels: Of the picture, 10**6 pixels each, which a small file may hold many of.
    """

    megabytes: float = 16
    megapixels: float = 25


def read_upload(path: str | Path, limits: Limits = Limits()) -> np.ndarray:  # noqa: B008  it cannot be changed
    """Read a picture, as the data sets read theirs, after a look at its size.

    Args:
        path: The file, whatever its name.
        limits: It may have no more.

    Returns:
        np.ndarray: (H, W, 3) uint8 BGR, turned as the camera was held.

    Raises:
        UsageError: It is no picture, too large, too small, damaged or animated; the message does not name the path.
    """
    size = Path(path).stat().st_size
    if size > limits.megabytes * 2**20:
        raise UsageError(f'The file has {size / 2**20:.1f} MB; at most {limits.megabytes:g} MB are taken.')
    _check_header(Path(path).read_bytes(), limits)
    try:
        return LoadVerifiedImage().load(str(path))
    except BadImageError as error:
        raise UsageError(f'The picture is damaged: {error.reason}.') from error


def _check_header(data: bytes, limits: Limits) -> None:
    """Look at what a file says of itself, before its pixels take up memory."""
    too_many = f'at most {limits.megapixels:g} million are taken. Make it smaller first.'
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > limits.megapixels * 1e6:
                raise UsageError(f'The picture has {width} x {height} pixels; {too_many}')
            # a phone's JPEG may carry further views (MPO), the first of which is the picture
            frames = 1 if image.format in ('JPEG', 'MPO') else getattr(image, 'n_frames', 1)
    except UnidentifiedImageError:
        raise UsageError(_no_picture(data)) from None
    except Image.DecompressionBombError:
        raise UsageError(f'The picture has too many pixels; {too_many}') from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises for what is cut off
        raise UsageError(f'The picture is damaged: {error}.') from error
    if frames > 1:
        raise UsageError(f'The file holds {frames} pictures, an animation or pages; save the one that you mean.')
    if min(width, height) < LEAST_SIDE:
        raise UsageError(f'The picture has {width} x {height} pixels; each side must have at least {LEAST_SIDE}.')


def _no_picture(data: bytes) -> str:
    if not data:
        return 'The file is empty.'
    kind = next((name for name, fits in _OTHERS.items() if fits(data[:1024])), None)
    looks = f' It looks like {kind}.' if kind else ''
    return f'The file is no picture that can be read here, whatever its name says.{looks} Allowed: {_ALLOWED}.'
