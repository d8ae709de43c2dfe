"""Safe replacements in mmengine's checkpoint loaders, and a loader for ``package://NAME/path/in/it.pth``.

mmengine reads local files as ``torch.load`` does by default, and downloads through ``torch.hub``, which unpickles
whatever the server sends; OneDL's fork also unpickles a local file where safe loading fails. After
:func:`make_loaders_safe`, every scheme (a path, ``http://``, ``file://``, ``torchvision://``, ...) is read by
:func:`posestructs.utils.safe_load.load_safely`, after the download where there is one.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from posestructs.utils.checkpoint_addresses import (
    PACKAGE,
    SHIPPED,
    file_in_package,
    path_of_file_address,
    shipped_file,
)
from posestructs.utils.downloads import DownloadError, discard, download
from posestructs.utils.plain_values import restore
from posestructs.utils.safe_load import UnsafeCheckpointError, load_safely
from posestructs.utils.usage import UsageError


class _TorchWithSafeLoad:
    """The ``torch`` of ``mmengine.runner.checkpoint``, whose ``load`` runs no code."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    @staticmethod
    def load(f: Any, map_location: Any = None, **_: Any) -> Any:
        return load_safely(f, map_location, opt_in=isinstance(f, (str, Path)))


def load_url(url: str, model_dir: str | None = None, map_location: Any = None, **_: Any) -> Any:
    """Download a checkpoint and load it safely, in the place of ``torch.hub.load_state_dict_from_url``.

    Args:
        url: ``http://`` or ``https://``.
        model_dir: Not used: the file goes to torch's cache.
        map_location: As in ``torch.load``.

    Returns:
        Any: The checkpoint.
    """
    file = download(url)
    try:
        return load_safely(file, map_location, opt_in=False)
    except UnsafeCheckpointError:
        raise
    except (EOFError, OSError, RuntimeError, pickle.UnpicklingError):  # not a checkpoint, such as a web page
        discard(file)
        raise


def load_from_file(filename: str, map_location: Any = None) -> Any:
    """Load a checkpoint from a ``file://`` address.

    Args:
        filename: The address.
        map_location: As in ``torch.load``.

    Returns:
        Any: The checkpoint.
    """
    return mmengine_checkpoint.load_from_local(str(path_of_file_address(filename)), map_location)


@CheckpointLoader.register_scheme(prefixes=PACKAGE, force=True)
def load_from_package(filename: str, map_location: Any = None) -> Any:
    """Load a checkpoint of an installed package.

    Args:
        filename: ``package://NAME/path``.
        map_location: As in ``torch.load``.

    Raises:
        FileNotFoundError: The package or its file is not there.
    """
    return mmengine_checkpoint.load_from_local(str(file_in_package(filename)), map_location)


@CheckpointLoader.register_scheme(prefixes=SHIPPED, force=True)
def load_shipped(filename: str, map_location: Any = None) -> Any:
    """Load a checkpoint of a shipped model.

    Args:
        filename: ``shipped://NAME``.
        map_location: As in ``torch.load``.

    Raises:
        FileNotFoundError: No model of this name is shipped.
    """
    return mmengine_checkpoint.load_from_local(str(shipped_file(filename)), map_location)


def make_loaders_safe() -> None:
    """Make every registered loader of mmengine safe; a second call changes nothing."""
    if isinstance(mmengine_checkpoint.torch, _TorchWithSafeLoad):
        return
    mmengine_checkpoint.torch = _TorchWithSafeLoad(torch)
    mmengine_checkpoint.load_url = load_url
    if hasattr(mmengine_checkpoint, '_safe_torch_load'):  # of OneDL's engine, which loads once more without protection
        mmengine_checkpoint._safe_torch_load = _TorchWithSafeLoad.load
    CheckpointLoader.register_scheme('file://', load_from_file, force=True)
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        CheckpointLoader.register_scheme(prefix, _with_clear_errors(loader), force=True)


def _with_clear_errors(loader: Callable) -> Callable:
    @functools.wraps(loader)  # mmengine logs the loader's name
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return _without_code(restore(_loaded(loader, filename, *args, **kwargs)))
        except (FileNotFoundError, DownloadError):
            raise
        except UnsafeCheckpointError as error:
            raise UnsafeCheckpointError(f'checkpoint {filename}: {error}') from error
        except pickle.UnpicklingError as error:
            raise RuntimeError(f'{filename} is not a torch checkpoint: {_first_line(error)}') from error
        except (EOFError, OSError, RuntimeError) as error:
            # what torch raises depends on where a file ends; other errors of loading are left as they are
            if isinstance(error, RuntimeError) and 'PytorchStreamReader' not in str(error):
                raise
            raise RuntimeError(f'{filename} is truncated or not a torch checkpoint: {_first_line(error)}') from error

    return load


def _loaded(loader: Callable, filename: str, *args: Any, **kwargs: Any) -> Any:
    """Content of a checkpoint; a loader that looks names up, or needs a package, fails in one line."""
    try:
        return loader(filename, *args, **kwargs)
    except KeyError as error:
        if '://' not in filename:
            raise
        raise UsageError(f'checkpoint {filename}: no model of this name is known') from error
    except ImportError as error:
        raise UsageError(f'checkpoint {filename}: {error}') from error


def _without_code(checkpoint: Any) -> Any:
    """Drop ``meta.config``, which mmengine runs as Python when a run is resumed; its own checkpoints have none."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)
    return checkpoint


def _first_line(error: Exception) -> str:
    return str(error).strip().split('\n')[0]


make_loaders_safe()
