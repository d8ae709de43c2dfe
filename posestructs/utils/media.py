"""Suffixes of images and videos, and the search for images in folders.

The suffix decides; a file without one, or with an unknown one, is recognised by its first bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import cv2

# not from mimetypes, which knows .webp or .mkv on some machines only
IMAGE_SUFFIXES = (
    '.jpg', '.jpeg', '.jpe', '.jfif', '.mpo', '.png', '.bmp', '.dib', '.webp', '.tif', '.tiff', '.gif', '.avif', '.jp2',
    '.ppm', '.pgm', '.pbm', '.pnm', '.tga', '.heic', '.heif',
)  # fmt: skip
"""Files of these suffixes are read as images. HEIC needs ``pillow-heif``, registered with Pillow."""
VIDEO_SUFFIXES = (
    '.mp4', '.m4v', '.mov', '.qt', '.avi', '.mkv', '.webm', '.ogv', '.ogg', '.ogm', '.wmv', '.asf', '.flv', '.f4v',
    '.mpg', '.mpeg', '.mpe', '.m1v', '.m2v', '.vob', '.ts', '.mts', '.m2ts', '.m2t', '.3gp', '.3g2', '.mxf', '.dv',
    '.divx', '.y4m', '.h264', '.264', '.h265', '.265', '.hevc',
)  # fmt: skip
"""Files of these suffixes are read as videos."""
WRITABLE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
"""Formats that results are written in."""
_VIDEO_STARTS = (b'\x1aE\xdf\xa3', b'FLV\x01', b'OggS', b'\x30\x26\xb2\x75', b'\x00\x00\x01\xba', b'\x00\x00\x01\xb3')


class ImageFolder(NamedTuple):
    """Images of a folder.

    Attributes:
        files: Paths in alphabetical order.
        left_out: Number of entries that are not images, by kind: a suffix, ``'hidden'``, ``'folder'`` or
            ``'without a suffix'``.
    """

    files: list[str]
    left_out: Counter[str]

    def describe_left_out(self) -> str:
        """List what was left out: ``'2 .txt, 1 hidden'``; empty where nothing was."""
        return ', '.join(f'{count} {kind}' for kind, count in sorted(self.left_out.items()))


def is_image(path: str | Path) -> bool:
    """Check whether an existing file is to be read as an image."""
    suffix = Path(path).suffix.lower()
    return suffix in IMAGE_SUFFIXES or (suffix not in VIDEO_SUFFIXES and cv2.haveImageReader(str(path)))


def is_video(path: str | Path) -> bool:
    """Check whether a file, or an address by its suffix, is to be read as a video."""
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix in IMAGE_SUFFIXES or not Path(path).is_file():
        return suffix in VIDEO_SUFFIXES
    return _starts_as_video(path) and not is_image(path)


def find_images(folder: str | Path, recursive: bool = False) -> ImageFolder:
    """List the images of a folder.

    Args:
        folder: The folder.
        recursive: Search its folders as well. Hidden ones are left out.

    Returns:
        The images, and what else the folder holds.
    """
    files, left_out = [], Counter()
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith('.'):
            left_out['hidden'] += 1
        elif path.is_dir():
            if recursive:
                inner = find_images(path, recursive)
                files += inner.files
                left_out += inner.left_out
            else:
                left_out['folder'] += 1
        elif path.is_file() and is_image(path):
            files.append(str(path))
        else:
            left_out[path.suffix.lower() or 'without a suffix'] += 1
    return ImageFolder(files, left_out)


def _starts_as_video(path: str | Path) -> bool:
    with Path(path).open('rb') as file:
        head = file.read(189)
    return (
        head.startswith(_VIDEO_STARTS)
        or head[4:8] == b'ftyp'
        or (head.startswith(b'RIFF') and head[8:12] == b'AVI ')
        or (head[:1] == head[188:] == b'G')  # packets of an MPEG transport stream
    )


def output_suffix(path: str | Path) -> str:
    """Suffix for an image that is drawn from another one: its own, or '.jpg' where OpenCV does not write such."""
    suffix = Path(path).suffix
    return suffix if suffix.lower() in WRITABLE_SUFFIXES else '.jpg'
