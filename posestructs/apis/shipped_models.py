"""Trained models that come with the project: ``demo/checkpoints/*.pth``, written by ``tools/misc/publish_model.py``.

What is known of a model stands in its checkpoint, so that there is no second list to keep in step with the files.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log

from posestructs.utils.checkpoints import read_meta
from posestructs.utils.paths import config_root

FOLDER = 'demo/checkpoints'
RELEASE = 'release'
"""The key of ``meta`` under which the publisher keeps what it was told."""


class ShippedModel(NamedTuple):
    """A trained model of the project: its name, config file, checkpoint file, and what it is in a sentence.

    Then where it comes from, the exact command that trained it, the data and the commit; and whether it was published
    to be used where no model is named.
    """

    name: str
    config: Path
    checkpoint: Path
    about: str
    command: str = ''
    data: str = ''
    commit: str = ''
    default: bool = False


def shipped_models() -> dict[str, ShippedModel]:
    """List the trained models of this checkout or installation.

    Returns:
        dict[str, ShippedModel]: By name; the first is the default. Those published with ``--default`` come first, both
        they and the others in alphabetical order. Empty where there are none.
    """
    return read_models(checkpoint_folder())


def read_models(folder: Path) -> dict[str, ShippedModel]:
    """List the published models of a folder.

    Args:
        folder: With checkpoints of ``publish_model.py``. Other files are passed over with a warning.

    Returns:
        dict[str, ShippedModel]: As :func:`shipped_models` gives them.
    """
    models = []
    for path in sorted(folder.glob('*.pth')):
        try:
            model = _read_model(path)
        except Exception as error:  # one damaged file must not hide the others; what torch raises is not documented
            print_log(f'{path} is passed over: {error}', logger='current', level=logging.WARNING)
            continue
        models.append(model)
    return {model.name: model for model in sorted(models, key=lambda model: (not model.default, model.name))}


def checkpoint_folder() -> Path:
    """Where the shipped checkpoints lie, beside ``configs/``; in an installation in ``posestructs/.mim``."""
    # resolved: a checkout's configs are reached through a link, and demo/ lies beside where it leads
    return config_root().resolve().parent / FOLDER


def _read_model(path: Path) -> ShippedModel:
    release = _mapping(_mapping(read_meta(path)).get(RELEASE))
    named, config = release.get('name'), release.get('config')
    if not isinstance(named, str) or not isinstance(config, str):
        raise ValueError('it was not written by tools/misc/publish_model.py')
    file = (config_root() / config).resolve()
    if not file.is_file():
        raise ValueError(f'its config, configs/{config}, is not there')
    said = {key: str(release.get(key, '')) for key in ('about', 'command', 'data', 'commit')}
    return ShippedModel(named, file, path, **said, default=release.get('default') is True)


def _mapping(value: Any) -> dict:
    return value if isinstance(value, dict) else {}
