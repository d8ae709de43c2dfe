"""Check of the types of a config's top-level keys."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from posestructs.utils.checks import invalid_value
from posestructs.utils.usage import UsageError

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(
        (
            *('model', 'optim_wrapper', 'default_hooks', 'env_cfg', 'randomness', 'visualizer', 'log_processor'),
            *(f'{phase}_{part}' for phase in ('train', 'val', 'test') for part in ('cfg', 'dataloader')),
        ),
        ((Mapping,), 'a dict'),
    ),
    **dict.fromkeys(('val_evaluator', 'test_evaluator', 'param_scheduler'), ((Mapping, list, tuple), 'a dict, a list')),
    **dict.fromkeys(('work_dir', 'load_from', 'experiment_name', 'default_scope'), ((str,), 'text')),
    'custom_hooks': ((list, tuple), 'a list'),
    'resume': ((bool,), 'True, False'),
}

# lists: of some models of mmpose
_PARTS = ('backbone', 'neck', 'head', 'data_preprocessor', 'train_cfg', 'test_cfg')


def check_sections(cfg: Config) -> None:
    """Refuse a section of a config that is of another type than its readers expect.

    Args:
        cfg: The config; None is allowed for any key.

    Raises:
        UsageError: A section has the wrong type; names what is allowed.
    """
    for key, (kinds, allowed) in _KINDS.items():
        value = cfg.get(key)
        if value is not None and not isinstance(value, kinds):
            raise UsageError(f'config: {invalid_value(key, value, allowed)}')
    for key, value in (cfg.get('model') or {}).items():
        if key in _PARTS and value is not None and not isinstance(value, (Mapping, list, tuple)):
            raise UsageError(f'config: {invalid_value(f"model.{key}", value, "a dict")}')
