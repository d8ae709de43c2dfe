"""Read and write image files: one set of rules for everything that opens an image.

- The file must be whole (:mod:`posestructs.utils.image_integrity`), and its header is checked against a limit of pixels
  before anything is decoded.
- Orientation: pixels are turned as the EXIF tag says; an orientation in XMP data is ignored, as by OpenCV.
- Depth: of 16 bits the upper eight are used. 32-bit and floating-point pixels have no known range and are refused.
- Colour: grey, palette and CMYK images become BGR; an alpha channel is dropped.
- Of an animation or a file of several pages the first image is used: of an animated PNG the one that readers without
  animations show.

JPEG (except CMYK) and PNG are decoded by OpenCV, everything else by Pillow, which refuses truncated data where OpenCV
does not; both give the same pixels. ``tools/deployment/onnx_pose/images.py`` follows the same rules with Pillow alone.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from posestructs.utils.files import atomic_write
from posestructs.utils.image_integrity import find_damage
from posestructs.utils.usage import UsageError

_BY_OPENCV = ('JPEG', 'MPO', 'PNG')
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


class BadImageError(OSError):
    """An image is missing, cannot be decoded, only in part, or is too large.

    A loading transform raises it for ``results['img_path']``. A data set in training then skips the sample. A transform
    that reads other images beside the sample's own must catch it: the sample itself is not bad.

    Args:
        path: The image.
        reason: The problem.
    """

    def __init__(self, path: str | Path, reason: str = '') -> None:
        super().__init__(': '.join(part for part in (str(path), reason) if part))
        self.path, self.reason = str(path), reason

    def __reduce__(self):
        return type(self), (self.path, self.reason)


def max_pixels() -> int:
    """Largest number of pixels of an image that is read: Pillow's limit against decompression bombs.

    It is twice ``PIL.Image.MAX_IMAGE_PIXELS``, 179 megapixels unless changed.
    """
    return 2 * (Image.MAX_IMAGE_PIXELS or 2**30)


def read_image(path: str | Path) -> np.ndarray:
    """Read and decode a file.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        BadImageError: The file is missing, damaged, too large or not an image.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadImageError(path, error.strerror or str(error)) from error
    return decode_image(data, path)


def decode_image(data: bytes, path: str | Path = '') -> np.ndarray:
    """Decode the content of an image file.

    Args:
        data: The encoded file.
        path: Its name, for the error.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        BadImageError: The file is damaged, too large or not an image.
    """
    damage = find_damage(data)
    if damage:
        raise BadImageError(path, damage)
    try:
        with open_header(data) as image:
            _check_size(image.size)
            # OpenCV skips the default image of an animated PNG that is not part of the animation
            if image.format not in _BY_OPENCV or image.mode == 'CMYK' or image.info.get('default_image'):
                return _decode_by_pillow(image)
    except UnidentifiedImageError:
        return _decode_unknown(data, path)
    except Image.DecompressionBombError:
        raise BadImageError(path, _too_large()) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises for damaged data
        raise BadImageError(path, f'cannot be decoded: {error}') from error
    return _decode_by_opencv(data, path, cv2.IMREAD_COLOR)


def find_problem(data: bytes) -> str | None:
    """Check a file for damage and for its number of pixels, without decoding it.

    Args:
        data: The encoded file.

    Returns:
        The problem, or ``None``.
    """
    damage = find_damage(data)
    if damage:
        return damage
    try:
        with open_header(data) as image:
            _check_size(image.size)
    except Image.DecompressionBombError:
        return _too_large()
    except ValueError as error:
        return str(error)
    except Exception:  # not an image that Pillow knows, or a damaged one: left to the decoder
        return None
    return None


def open_header(data: bytes, formats: tuple[str, ...] | None = None) -> Image.Image:
    """Read the header of an image file.

    Args:
        data: The encoded file.
        formats: Names of the formats of Pillow to try. By default all.

    Returns:
        The image, without its pixels.

    Raises:
        PIL.UnidentifiedImageError: It is not an image that Pillow knows.
        PIL.Image.DecompressionBombError: It has more than :func:`max_pixels` pixels.
        OSError, SyntaxError, ValueError: The header is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of half the limit, and of odd but readable metadata
        return Image.open(io.BytesIO(data), formats=formats)


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > max_pixels():
        raise ValueError(f'{size[0]} x {size[1]} pixels: {_too_large()}')


def _too_large() -> str:
    return f'more than {max_pixels() / 1e6:.0f} megapixels, the largest image that is read'


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image, completely or not at all.

    Args:
        path: The file; its folder is created. The suffix names the format.
        image: (H, W, 3) uint8 RGB.

    Raises:
        UsageError: The format cannot hold an image of this size, or the file cannot be written.
    """
    path = Path(path)
    try:
        good, data = cv2.imencode(path.suffix, image[..., ::-1])
    except cv2.error:
        good = False
    if not good:
        height, width = image.shape[:2]
        raise UsageError(f'{path}: OpenCV cannot write {width} x {height} pixels in this format')
    try:
        atomic_write(path, data.tobytes())
    except OSError as error:
        raise UsageError(f'{path} cannot be written: {error.strerror or error}') from error


def _decode_unknown(data: bytes, path: str | Path) -> np.ndarray:
    """Decode a format that Pillow does not know and OpenCV may."""
    image = _decode_by_opencv(data, path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise BadImageError(path, f'pixels of type {image.dtype}, allowed: 8 or 16 bits')
    return image


def _decode_by_opencv(data: bytes, path: str | Path, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise BadImageError(path, f'not decodable by cv2: {error.err or error}') from error
    if image is None:
        raise BadImageError(path, 'not decodable by cv2: no image format that it knows')
    return image


def exif_orientation(image: Image.Image) -> int:
    """Read the orientation of an image from its EXIF data alone.

    Pillow's ``getexif`` takes that of XMP data where EXIF has none; OpenCV, and most programs, do not.

    Args:
        image: The image, opened by Pillow.

    Returns:
        1 to 8; 1, as it is, where there is none.
    """
    exif: Any = getattr(image, 'tag_v2', None)  # of a TIFF
    if exif is None:
        exif = Image.Exif()
        exif.load(image.info.get('exif') or b'')
    value = exif.get(_ORIENTATION, 1)
    return value if value in _TURNS else 1


def _turn(image: Image.Image) -> Image.Image:
    image.load()  # a PNG may have its EXIF data after the pixels
    method = _TURNS.get(exif_orientation(image))
    return image if method is None else image.transpose(method)


def _decode_by_pillow(image: Image.Image) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of a palette's transparency, which is dropped
        turned = _turn(image)
        # Pillow has 16-bit PGM as 32-bit integers
        if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PPM'):
            upper = (np.asarray(turned) >> 8).astype(np.uint8)
            return np.repeat(upper[..., None], 3, axis=2)
        if image.mode not in _MODES:
            raise ValueError(f'pixels of mode {image.mode}, allowed: grey, palette, RGB or CMYK of 8 or 16 bits')
        return np.ascontiguousarray(np.asarray(turned.convert('RGB'))[..., ::-1])
