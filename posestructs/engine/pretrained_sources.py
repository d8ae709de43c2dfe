"""Check the sources of pretrained weights in a config before anything is built.

mmengine reads them in ``init_weights``, after the work directory is written and the data are loaded, and answers with a
traceback from within. :func:`check_pretrained_sources` is for tools, before they build a runner.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config

from posestructs.utils.checkpoint_addresses import PACKAGE, file_in_package
from posestructs.utils.usage import UsageError

TORCHVISION = ('torchvision://', 'modelzoo://')


def check_pretrained_sources(cfg: Config | Mapping[str, Any]) -> None:
    """Check every ``init_cfg=dict(type='Pretrained', checkpoint=...)`` of a config, at any depth.

    Addresses on servers are not checked, as that would need a download.

    Args:
        cfg: A config, or a part of one such as ``dict(model=cfg.model)``; keys in errors start from it.

    Raises:
        UsageError: A source cannot be read: torchvision is not installed, a package or a file does not exist. Names
            all such keys and says what to do.
    """
    problems = [problem for key, address in pretrained_sources(cfg) if (problem := _problem(key, address))]
    if problems:
        raise UsageError('\n'.join(problems))


def pretrained_sources(cfg: Any, key: str = '') -> Iterator[tuple[str, str]]:
    """List the pretrained weights that a config names.

    Args:
        cfg: A config, or a value in it.
        key: Key of the value, such as 'model.backbone'.

    Yields:
        tuple[str, str]: Key of a checkpoint, such as 'model.backbone.init_cfg.checkpoint', and its address.
    """
    cfg = cfg._cfg_dict if isinstance(cfg, Config) else cfg
    if isinstance(cfg, Mapping):
        if cfg.get('type') in ('Pretrained', 'PretrainedInit') and isinstance(cfg.get('checkpoint'), str):
            yield f'{key}.checkpoint', cfg['checkpoint']
        items = cfg.items()
    else:
        items = enumerate(cfg) if isinstance(cfg, (list, tuple)) else ()
    for name, value in items:
        yield from pretrained_sources(value, f'{key}.{name}' if key else str(name))


def _problem(key: str, address: str) -> str | None:
    """Error message for one address; ``None`` if nothing is wrong with it."""
    found = f'{key}={address!r}'
    if address.startswith(TORCHVISION):
        why = _why_no_torchvision()
        return None if why is None else f'{found}: {why}. {_without_torchvision(key, address)}'
    if address.startswith(PACKAGE):
        try:
            file_in_package(address)
        except (FileNotFoundError, ValueError) as error:
            return f'{key}: {error}; or start without pretrained weights with {_init_cfg(key)}=None'
        return None
    if '://' in address or Path(address).expanduser().is_file():
        return None
    return f'{found}: no such file; or start without pretrained weights with {_init_cfg(key)}=None'


def _why_no_torchvision() -> str | None:
    try:
        importlib.import_module('torchvision')
    except ModuleNotFoundError:
        return 'these weights are downloaded by torchvision, which is not installed'
    except Exception as error:  # a build for another torch fails with errors of many types
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        return f'these weights are downloaded by torchvision, which cannot be imported ({first_line})'
    return None


def _without_torchvision(key: str, address: str) -> str:
    name = address.partition('://')[2]
    # mmengine's list of torchvision's files; newer names are in torchvision only
    urls = mmengine.load(Path(mmengine.__file__).parent / 'hub' / 'torchvision_0.12.json')
    file = f'download {urls[name]} and set {key} to the file' if name in urls else f'set {key} to a file'
    return (
        f'Install a torchvision for your torch (pip install torchvision), or {file}, or start without pretrained '
        f'weights with --cfg-options {_init_cfg(key)}=None'
    )


def _init_cfg(key: str) -> str:
    """Key of the whole ``init_cfg``, which may be a list."""
    parts = key.split('.')
    return '.'.join(parts[: len(parts) - parts[::-1].index('init_cfg')]) if 'init_cfg' in parts else parts[0]
