"""Detection of truncated and corrupt JPEG and PNG files, without decoding pixels.

What a decoder makes of a truncated file depends on the decoder: OpenCV fills the missing part of a JPEG with grey and
reports success, or returns nothing and no reason. Both formats mark their own end, so that walking over their structure
is a sure test, and a cheap one (2 to 6 % of the decoding time). It does not see bytes overwritten in the middle of a
JPEG's pixel data, for which the format has no checksum.
"""

from __future__ import annotations

import re
import zlib

MAX_SCANS = 100
"""Scans of a progressive JPEG. Ordinary files have about ten; each scan costs time even if it is a few bytes long."""

_JPEG_START = b'\xff\xd8'
_PNG_START = b'\x89PNG\r\n\x1a\n'
_JPEG_SOI, _JPEG_EOI, _JPEG_SOS = 0xD8, 0xD9, 0xDA
_JPEG_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # TEM, RST0..7: markers without a length
# Entropy-coded data holds FF only as FF00 or as a restart marker; any other FFxx ends it. FFFF is padding before one.
_JPEG_MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')


def find_damage(data: bytes) -> str | None:
    """Find damage in the content of an image file.

    JPEG (baseline and progressive) is followed marker by marker to its end-of-image marker, PNG chunk by chunk, with
    checksums, to its ``IEND``. Bytes after the end are ignored, as decoders do. Files of other formats are only checked
    for being empty.

    Args:
        data: The encoded file.

    Returns:
        The problem, or ``None`` if none was found. A JPEG of more than ``MAX_SCANS`` scans counts as one.
    """
    if not data:
        return 'the file is empty'
    if data.startswith(_JPEG_START):
        return _jpeg_damage(data)
    if data.startswith(_PNG_START):
        return _png_damage(data)
    return None


def _jpeg_damage(data: bytes) -> str | None:
    size, pos, scans = len(data), 2, 0
    truncated = f'truncated JPEG, {size} bytes without an end-of-image marker'
    while pos + 1 < size:
        if data[pos] != 0xFF:
            return f'corrupt JPEG, no marker at byte {pos} of {size}'
        marker = data[pos + 1]
        if marker == _JPEG_EOI:
            return None
        if marker == _JPEG_SOI:
            return f'truncated JPEG, another one starts at byte {pos} of {size}'
        if marker == 0xFF:
            pos += 1
        elif marker in _JPEG_STANDALONE:
            pos += 2
        else:
            pos += 2 + int.from_bytes(data[pos + 2 : pos + 4], 'big')
            if marker == _JPEG_SOS:
                scans += 1
                if scans > MAX_SCANS:
                    return f'JPEG of more than {MAX_SCANS} scans, which would take very long to decode'
                found = _JPEG_MARKER.search(data, pos)
                if found is None:
                    return truncated
                pos = found.start()
    return truncated


def _png_damage(data: bytes) -> str | None:
    size, pos = len(data), len(_PNG_START)
    while pos + 12 <= size:
        end = pos + 12 + int.from_bytes(data[pos : pos + 4], 'big')
        if end > size:
            break
        body = memoryview(data)[pos + 4 : end - 4]
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], 'big'):
            return f'corrupt PNG, wrong checksum of the chunk at byte {pos} of {size}'
        if body[:4] == b'IEND':
            return None
        pos = end
    return f'truncated PNG, {size} bytes without an IEND chunk'
