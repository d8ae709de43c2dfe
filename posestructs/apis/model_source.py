"""Resolve a config and a checkpoint, and verify that they match each other and the joints of the data."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint
from mmpose.apis.inferencers.utils import default_det_models
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS
from torch import nn

from posestructs.apis.shipped_models import shipped_models
from posestructs.structures.joint_conversion import pipeline_metainfo
from posestructs.structures.metainfo import raw_metainfo
from posestructs.utils.checkpoints import read_safely
from posestructs.utils.cli import check_checkpoint, load_config, require_keys
from posestructs.utils.dataset_configs import step_name
from posestructs.utils.networks import head_joints
from posestructs.utils.plain_values import restore
from posestructs.utils.usage import UsageError
from posestructs.utils.weights_fit import all_zero, compare_weights, non_finite, weights_of

_SHOWN = 3  # names listed in an error
# steps of a test pipeline that need labels, which a user's image lacks
_LABEL_STEPS = ('KeypointConverter', 'GenerateTarget')


def resolve_model(
    config: str | Path | Config | Mapping | None, checkpoint: str | Path | None
) -> tuple[Config | str, str | None]:
    """Find the config and the checkpoint.

    Args:
        config: A config file, ``mmpose::path`` of one that mmpose ships, a config, the name of a shipped model, or a
            name or alias of mmpose's model zoo. ``None`` for the default shipped model.
        checkpoint: A file or an address. ``None`` for the one that belongs to a shipped model or a model of the zoo.

    Returns:
        The config, or a name of mmpose's zoo, and the checkpoint.

    Raises:
        UsageError: A file is missing or damaged, a checkpoint is given without a config, or the config lacks what an
            inferencer needs.
    """
    if checkpoint is not None:
        check_checkpoint(str(checkpoint), 'checkpoint')
    if config is None and checkpoint is not None:
        raise UsageError(
            f'checkpoint {checkpoint} is given without a config: give both, or neither for the shipped model'
        )
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
    """Message for a config that cannot be found.

    Args:
        name: The config as it was given.

    Returns:
        The message.
    """
    shipped = ', '.join(shipped_models()) or 'none'
    return f"config {name!r} is neither a file, a shipped model (there are: {shipped}), nor a model of mmpose's zoo"


def read_checkpoint(path: str) -> Mapping[str, Any]:
    """Read a checkpoint: the weights of a model and their metadata.

    Args:
        path: A file or an address.

    Returns:
        ``state_dict`` and more, or the weights alone.

    Raises:
        UsageError: torch would not load it safely, or it is not a checkpoint of a model.
    """
    try:
        content = _load_checkpoint(path, map_location='cpu') if '://' in path else restore(read_safely(path))
    except UsageError as error:
        raise UsageError(str(error) if '://' in path else f'checkpoint {path}: {error}') from error
    except (EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise UsageError(f'checkpoint {path}: {error}') from error
    if not isinstance(content, Mapping):
        raise UsageError(f'checkpoint {path} holds a {type(content).__name__}, allowed: a dict with state_dict')
    for key in ('state_dict', 'meta'):
        if key in content and not isinstance(content[key], Mapping):
            raise UsageError(f'checkpoint {path}: {key} is a {type(content[key]).__name__}, allowed: a dict')
    return content


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], name: str, config: str) -> None:
    """Load a checkpoint and require that it matches the model.

    mmengine only warns of weights that are missing, unexpected or of another shape, and a model with random weights
    predicts without an error. Weights of discriminators, which only training needs, are ignored.

    Args:
        model: The model.
        checkpoint: Content of the file: ``state_dict`` and more, or the weights alone.
        name: Name of the file, for the error.
        config: Name of the config, for the error.

    Raises:
        UsageError: It belongs to another config, or holds weights that are not finite. Names the first such weights.
    """
    metadata = getattr(checkpoint.get('state_dict', checkpoint), '_metadata', None)
    state = OrderedDict(weights_of(checkpoint))
    own = model.state_dict()
    misfit = compare_weights(own, state)
    if misfit:
        raise UsageError(f'checkpoint {name} does not match config {config}. Weights {misfit.describe()}')
    state._metadata = metadata or OrderedDict()
    try:
        model.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:  # an entry that is not a tensor, or no weights of what `keep` names
        raise UsageError(f'checkpoint {name} does not fit the config {config}: {error}') from error
    _check_finite(model, name)


def _check_finite(model: nn.Module, name: str) -> None:
    state, parameters = model.state_dict(), [key for key, _ in model.named_parameters()]
    if all_zero(state, parameters):
        raise UsageError(f'checkpoint {name} holds weights that are all 0, allowed: those of a trained model')
    odd = non_finite(state, parameters)
    if odd:
        raise UsageError(
            f'checkpoint {name} holds NaN or infinity, as after a diverged training. Weights {_count(odd)}'
        )


def joints_of(cfg: Config) -> dict[str, Any]:
    """Metainfo of the joints that a config trains or tests on.

    mmpose looks at the class of the training set only, and so finds nothing for several sets in one. A
    ``KeypointConverter`` in the pipeline of the data set is taken into account.

    Args:
        cfg: The config.

    Returns:
        Parsed metainfo of the first data set that has any.

    Raises:
        UsageError: None has, or a converter names a joint that does not exist.
    """
    for dataset in _datasets_of(cfg):
        metainfo = dataset.get('metainfo') or getattr(_class(dataset.get('type')), 'METAINFO', None)
        if metainfo:
            try:
                return pipeline_metainfo(parse_pose_metainfo(raw_metainfo(metainfo)), dataset.get('pipeline') or ())
            except ValueError as error:
                raise UsageError(f'config {cfg.filename}: {error}') from error
    raise UsageError(f'config {cfg.filename}: no data set has metainfo, and the checkpoint has no dataset_meta')


def model_metainfo(cfg: Config, model: nn.Module, checkpoint: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metainfo of the joints that a model predicts.

    Args:
        cfg: The config.
        model: The model.
        checkpoint: Content of its checkpoint, whose ``dataset_meta`` is used unless the config converts joints.

    Returns:
        Parsed metainfo.

    Raises:
        UsageError: Its number of joints is not that of the head, or the checkpoint's is not metainfo.
    """
    saved = ((checkpoint or {}).get('meta') or {}).get('dataset_meta')
    if saved is not None and not isinstance(saved, Mapping):
        raise UsageError(f'the checkpoint has meta.dataset_meta of type {type(saved).__name__}, allowed: a dict')
    # what is saved are the joints of the files, before a converter in the set's own pipeline
    metainfo = joints_of(cfg) if not saved or _converts(cfg) else saved
    expected, found = head_joints(model.head), metainfo.get('num_keypoints')
    if None not in (expected, found) and expected != found:
        raise UsageError(
            f'config {cfg.filename}: the head {type(model.head).__name__} predicts {expected} joints, the metainfo of '
            f"the data ({metainfo.get('dataset_name')}) has {found}: change the head's channels, or the metainfo or "
            'KeypointConverter of the data set'
        )
    return metainfo


def inference_pipeline(cfg: Config) -> list:
    """Steps of the test pipeline that an image without labels can take.

    Args:
        cfg: The config.

    Returns:
        Configs of the steps, without those that convert labels or make targets.
    """
    pipelines = (dataset.get('pipeline') for dataset in _datasets((cfg.test_dataloader or {}).get('dataset')))
    steps = next((pipeline for pipeline in pipelines if pipeline), [])
    return [step for step in steps if step_name(step) not in _LABEL_STEPS]


def _converts(cfg: Config) -> bool:
    return any(
        step_name(step) == 'KeypointConverter'
        for dataset in _datasets_of(cfg)
        for step in dataset.get('pipeline') or ()
    )


def objects_of(cfg: Config) -> str:
    """Kind of objects that a detector has to find for a model.

    mmpose reads it off the folder that the class of ``dataset_type`` lies in.

    Args:
        cfg: Config of the model.

    Returns:
        'hand', 'face', 'animal', ..., a key of mmpose's default detectors; 'human' if the data sets name no other.
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
    """Config of a data set, and those of the data sets that it wraps."""
    if isinstance(dataset, Mapping):
        yield dataset
        for inner in dataset.get('datasets') or [dataset.get('dataset')]:
            yield from _datasets(inner)


def _count(names: Sequence[str]) -> str:
    return f'({len(names)}): ' + ', '.join(names[:_SHOWN]) + (', ...' if len(names) > _SHOWN else '')
