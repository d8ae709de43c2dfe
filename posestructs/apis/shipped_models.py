"""Trained models that come with the project: ``demo/checkpoints/*.pth``, written by ``tools/misc/publish_model.py``.

All information about a model is stored in its checkpoint, so that there is no second list to maintain.
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
"""Key of ``meta`` under which the publisher stores its information."""


class ShippedModel(NamedTuple):
    """A trained model of the project.

    Attributes:
        name: Name of the model.
        config: Config file.
        checkpoint: Checkpoint file.
        about: Description in one sentence.
        command: Command that trained it.
        data: Data that it was trained on.
        commit: Commit that it was trained at.
        default: Whether it is used where no model is named.
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
        Models by name; the first is the default. Those published with ``--default`` come first, then the others, each
        in alphabetical order.
    """
    return read_models(checkpoint_folder())


def read_models(folder: Path) -> dict[str, ShippedModel]:
    """List the published models of a folder.

    Args:
        folder: Folder with checkpoints of ``publish_model.py``. Other files are skipped with a warning.

    Returns:
        Models in the order of :func:`shipped_models`.
    """
    models = []
    for path in sorted(folder.glob('*.pth')):
        try:
            model = _read_model(path)
        except Exception as error:  # one damaged file must not hide the others; what torch raises is not documented
            reason = (str(error) or type(error).__name__).splitlines()[0]
            print_log(f'{path} is skipped: {reason}', logger='current', level=logging.WARNING)
            continue
        models.append(model)
    return {model.name: model for model in sorted(models, key=lambda model: (not model.default, model.name))}


def checkpoint_folder() -> Path:
    """Folder of the shipped checkpoints, beside ``configs/``; in an installation in ``posestructs/.mim``."""
    # resolved, as configs of a checkout are reached through a link, and demo/ lies beside its target
    return config_root().resolve().parent / FOLDER


def _read_model(path: Path) -> ShippedModel:
    release = _mapping(_mapping(read_meta(path)).get(RELEASE))
    named, config = release.get('name'), release.get('config')
    if not isinstance(named, str) or not isinstance(config, str):
        raise ValueError('it was not written by tools/misc/publish_model.py')
    file = (config_root() / config).resolve()
    if not file.is_file():
        raise ValueError(f'its config, configs/{config}, does not exist')
    texts = {key: str(release.get(key, '')) for key in ('about', 'command', 'data', 'commit')}
    return ShippedModel(named, file, path, **texts, default=release.get('default') is True)


def _mapping(value: Any) -> dict:
    return value if isinstance(value, dict) else {}
