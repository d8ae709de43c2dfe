"""Download checkpoints into torch's cache."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import torch
from mmengine.logging import print_log
from rich.progress import wrap_file

from posestructs.utils.usage import UsageError

_TIMEOUT = 30  # seconds without an answer
_CONTENT_HASH = re.compile(r'-[0-9a-f]{8,64}[._]')


class DownloadError(UsageError, OSError):
    """A file that could not be downloaded."""


def is_address(path: str) -> bool:
    """Check whether a checkpoint is downloaded.

    Args:
        path: A path or an address.

    Returns:
        bool: True for ``http://`` and ``https://``.
    """
    return path.startswith(('http://', 'https://'))


def discard(file: Path) -> None:
    """Remove a downloaded file that cannot be used from the cache.

    Args:
        file: As returned by :func:`download`.
    """
    file.unlink(missing_ok=True)
    if file.parent != Path(torch.hub.get_dir()) / 'checkpoints' and not any(file.parent.iterdir()):
        file.parent.rmdir()


def cached_path(address: str) -> Path:
    """Choose where a downloaded file is kept.

    A name with a hash of the content (``resnet50-0676ba61.pth``) is shared with ``torch.hub``; for other names each
    address has a folder of its own, as two servers can both have a ``best.pth``.

    Args:
        address: ``http://`` or ``https://``.

    Returns:
        Path: A file below torch's cache folder, which may not exist yet.
    """
    name = Path(unquote(urlsplit(address).path)).name or 'checkpoint.pth'
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    if not _CONTENT_HASH.search(name):
        folder = folder / hashlib.sha256(address.encode()).hexdigest()[:16]
    return folder / name


def download(address: str) -> Path:
    """Download a file, unless it is in the cache.

    Args:
        address: ``http://`` or ``https://``.

    Returns:
        Path: The whole file.

    Raises:
        DownloadError: The server cannot be reached, refuses, or breaks off; or the file cannot be written.
    """
    file = cached_path(address)
    if file.is_file():
        print_log(f'{address} is read from the cache: {file} (delete it to download again)', logger='current')
        return file
    partial = file.with_name(f'.{file.name}.{uuid.uuid4().hex[:8]}.partial')
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, partial)
        os.replace(partial, file)
    except urllib.error.HTTPError as error:
        raise DownloadError(f'{address} could not be downloaded: HTTP {error.code} {error.reason}') from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', None) or error
        raise DownloadError(f'{address} could not be downloaded: {reason}') from error
    finally:
        partial.unlink(missing_ok=True)
    return file


def _fetch(address: str, file: Path) -> None:
    request = urllib.request.Request(address, headers={'User-Agent': 'posestructs'})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response, file.open('wb') as out:
        size = int(response.headers.get('Content-Length') or 0)
        hidden = not (size and sys.stdout.isatty())
        with wrap_file(response, size, description='downloading', transient=True, disable=hidden) as source:
            shutil.copyfileobj(source, out, 1 << 20)
        if size and out.tell() != size:
            raise OSError(f'the connection ended after {out.tell()} of {size} bytes')
