"""Recognise images, videos and live streams at http addresses."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import PurePosixPath
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from posestructs.utils.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from posestructs.utils.usage import UsageError

_STREAMS = (
    'multipart/x-mixed-replace',  # motion JPEG of network cameras
    'application/vnd.apple.mpegurl',
    'application/x-mpegurl',
    'application/dash+xml',
)
_ANY_FILE = ('', 'application/octet-stream', 'binary/octet-stream', 'application/mp4')
_TIMEOUT_SECONDS = 30


def is_http(text: str) -> bool:
    """Check whether an input is an http or https address."""
    return text.lower().startswith(('http://', 'https://'))


def http_kind(address: str) -> str:
    """Find out what is at an address, by its suffix or the content type that the server answers with.

    Args:
        address: It is not requested if it has the suffix of an image.

    Returns:
        'image', 'video' or 'stream'. What is neither a video nor a stream counts as an image.

    Raises:
        UsageError: The server cannot be reached or answers with an error, or there is no video at an address with the
            suffix of one.
    """
    suffix = PurePosixPath(urlsplit(address).path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return 'image'
    kind = _content_type(address)
    if kind in _STREAMS:
        return 'stream'
    if kind.startswith('video/') or (suffix in VIDEO_SUFFIXES and kind in _ANY_FILE):
        return 'video'
    if suffix in VIDEO_SUFFIXES:
        raise UsageError(f'input {address}: the server answers with {kind}, allowed: a video')
    return 'image'


def http_name(address: str) -> str:
    """Name of the file at an address, without its query."""
    return PurePosixPath(urlsplit(address).path).name or 'video.mp4'


def _content_type(address: str) -> str:
    """Content type of the answer, whose body is not read; '' if the server sends none."""
    try:
        with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:
            return answer.headers.get_content_type() if 'Content-Type' in answer.headers else ''
    except HTTPError as error:
        raise UsageError(f'input {address}: the server answers {error.code} {error.reason}') from error
    except (OSError, ValueError, HTTPException) as error:
        raise UsageError(f'input {address}: {getattr(error, "reason", None) or error}') from error
