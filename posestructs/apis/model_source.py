"""Which model is meant, and whether a checkpoint is really one of it."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint
from mmpose.apis.inferencers.utils import default_det_models
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS
from torch import Tensor, nn

from posestructs.apis.shipped_models import shipped_models
from posestructs.structures.metainfo import raw_metainfo
from posestructs.utils.checkpoints import read_safely
from posestructs.utils.cli import check_checkpoint, load_config, require_keys
from posestructs.utils.plain_values import restore
from posestructs.utils.release import PREFIX
from posestructs.utils.usage import UsageError

_FIRST = 3  # names of an error; more would hide the rest


def resolve_model(
    config: str | Path | Config | Mapping | None, checkpoint: str | Path | None
) -> tuple[Config | str, str | None]:
    """Find config and checkpoint.

    Args:
        config: A config file, ``mmpose::path`` of one that mmpose ships, a config, the name of a shipped model, or a
            name or alias of mmpose's model zoo; ``None`` for the first shipped model.
        checkpoint: A file or an address; ``None`` for a shipped model's own, and for a model of mmpose's zoo the one
            that the zoo names.

    Returns:
        tuple[Config | str, str | None]: The config, or a name of mmpose's zoo; and the checkpoint.

    Raises:
        UsageError: A file is absent or damaged, a checkpoint comes without its config, or the config lacks what an
            inferencer needs.
    """
    if checkpoint is not None:
        check_checkpoint(str(checkpoint), 'checkpoint')
    if config is None and checkpoint is not None:
        raise UsageError(f'checkpoint {checkpoint} comes without a config: give both, or neither for the shipped model')
    if config is None or (isinstance(config, str) and config in shipped_models()):
        config, shipped = _shipped(config)
        checkpoint = shipped if checkpoint is None else checkpoint
    if isinstance(config, (str, Path)):
        path = str(config)
        if not Path(path).is_file() and '::' not in path and Path(path).suffix != '.py':
            return path, None if checkpoint is None else str(checkpoint)
        config = load_config(path)
    elif not isinstance(config, Config):
        config = Config(dict(config))
    require_keys(config, 'model', 'test_dataloader', 'data_mode')
    if config.data_mode != 'topdown':
        raise UsageError(f"config {config.filename}: data_mode={config.data_mode!r}, allowed: 'topdown'")
    return config, None if checkpoint is None else str(checkpoint)


def _shipped(name: str | None) -> tuple[Path, Path]:
    models = shipped_models()
    if not models:
        raise UsageError('no trained model is shipped with this copy of posestructs: give a config and its checkpoint')
    model = models[next(iter(models)) if name is None else name]
    return model.config, model.checkpoint


def not_a_model(name: str) -> str:
    """What to say of a config that is nothing.

    Args:
        name: As it was given.

    Returns:
        str: The message.
    """
    shipped = ', '.join(shipped_models()) or 'none'
    return f"config {name!r} is no file, no shipped model (there are: {shipped}) and no model of mmpose's zoo"


def read_checkpoint(path: str) -> Mapping[str, Any]:
    """Read the weights of a model and what was written beside them.

    Args:
        path: A file, or an address, which is left to mmengine.

    Returns:
        Mapping[str, Any]: ``state_dict`` and more, or the weights alone.

    Raises:
        UsageError: torch would not load it safely, or it is no checkpoint of a model.
    """
    try:
        content = _load_checkpoint(path, map_location='cpu') if '://' in path else restore(read_safely(path))
    except (EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise UsageError(f'checkpoint {path}: {error}') from error
    if not isinstance(content, Mapping):
        raise UsageError(f'checkpoint {path} holds a {type(content).__name__}, allowed: a dict with state_dict')
    for key in ('state_dict', 'meta'):
        if key in content and not isinstance(content[key], Mapping):
            raise UsageError(f'checkpoint {path}: {key} is a {type(content[key]).__name__}, allowed: a dict')
    return content


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], name: str, config: str) -> None:
    """Load a checkpoint that must fit.

    mmengine only warns of weights that are missing, left over or of another shape, and a model with random weights
    predicts just as readily. Discriminators, which only training needs, may be left over.

    Args:
        model: The model.
        checkpoint: What the file holds: ``state_dict`` and more, or the weights alone.
        name: Of the file, for the error.
        config: Of the config, for the error.

    Raises:
        UsageError: It is of another config; names the first weights that differ.
    """
    state = checkpoint.get('state_dict', checkpoint)
    metadata = getattr(state, '_metadata', None)
    state = OrderedDict((re.sub(r'^module\.', '', key), value) for key, value in state.items())
    own = model.state_dict()
    known = [key for key in state if key in own and isinstance(state[key], Tensor)]
    differ = [key for key in known if state[key].shape != own[key].shape]
    shapes = [f'{key} {tuple(state[key].shape)} in the file, {tuple(own[key].shape)} in the model' for key in differ]
    for key in differ:
        del state[key]
    state._metadata = metadata or OrderedDict()
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # of a form that no weight of a model has
        raise UsageError(f'checkpoint {name} does not fit the config {config}: {error}') from error
    missing = [key for key in missing if key not in differ and not key.endswith('num_batches_tracked')]
    unexpected = [key for key in unexpected if not key.startswith(PREFIX)]
    if shapes or missing or unexpected:
        kinds = (('of another shape', shapes), ('missing in the file', missing), ('not of this model', unexpected))
        found = '; '.join(_listed(what, names) for what, names in kinds if names)
        raise UsageError(f'checkpoint {name} is of another config than {config}. Weights {found}')


def joints_of(cfg: Config) -> dict[str, Any]:
    """Joints, limbs and colours of the data that a config trains or tests on.

    mmpose looks at the class of the training set only, and so finds nothing for several sets in one.

    Args:
        cfg: The config.

    Returns:
        dict[str, Any]: Parsed meta information of the first data set that has any.

    Raises:
        UsageError: None has.
    """
    for dataset in _datasets_of(cfg):
        metainfo = dataset.get('metainfo') or getattr(_class(dataset.get('type')), 'METAINFO', None)
        if metainfo:
            return parse_pose_metainfo(raw_metainfo(metainfo))
    raise UsageError(f'config {cfg.filename}: no data set has metainfo, and the checkpoint has no dataset_meta')


def objects_of(cfg: Config) -> str:
    """What a detector has to find for a model.

    mmpose reads it off the folder that the class of ``dataset_type`` lies in.

    Args:
        cfg: Of the model.

    Returns:
        str: 'hand', 'face', 'animal', ..., a key of mmpose's default detectors; 'human' where the data sets tell
        nothing else.
    """
    for kind in (cfg.get('dataset_type'), *(dataset.get('type') for dataset in _datasets_of(cfg))):
        folder = getattr(_class(kind), '__module__', '').split('datasets.')[-1].split('.')[0]
        if folder in default_det_models:
            return folder
    return 'human'


def _class(kind: Any) -> Any:
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _datasets_of(cfg: Config) -> Iterator[Mapping]:
    for phase in ('train', 'val', 'test'):
        yield from _datasets((cfg.get(f'{phase}_dataloader') or {}).get('dataset'))


def _datasets(dataset: Any) -> Iterator[Mapping]:
    """A data set's config and those that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        for inner in dataset.get('datasets') or [dataset.get('dataset')]:
            yield from _datasets(inner)


def _listed(what: str, names: Sequence[str]) -> str:
    return f'{what} ({len(names)}): ' + ', '.join(names[:_FIRST]) + (', ...' if len(names) > _FIRST else '')
