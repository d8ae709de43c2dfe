"""Compare a run with the checkpoint that it resumes: schedules, optimizer settings, and the config."""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# state of schedulers that training changes, or that follows from the learning rate
_PROGRESS = {'optimizer', 'last_step', '_global_step', '_last_value', 'base_values', 'verbose'}
_PROGRESS |= {'best', 'num_bad_epochs', 'cooldown_counter'}  # of ReduceOnPlateau
_ENDLESS = ('Step', 'MultiStep', 'Exponential')  # schedulers whose values do not depend on their end
_READ = ('model', 'optim_wrapper', 'train_cfg', 'train_dataloader', 'param_scheduler', 'auto_scale_lr')
_SPEED = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'val_interval', 'val_begin', 'init_cfg')
_CLASS_KEYS = ('momentum', 'betas', 'alpha', 'rho', 'lambd', 'lr_decay')  # keys that distinguish optimizers
# state of torch's optimizers that has the shape of the weight
_MOMENTS = ('momentum_buffer', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'exp_inf', 'square_avg', 'grad_avg')
_MOMENTS += ('acc_delta', 'sum', 'prev', 'step_size')
_ABSENT = 'not set'
_FIRST = 5


def scheduler_changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Compare what defines a schedule.

    Args:
        name: Class of the scheduler.
        old: State in the checkpoint.
        new: State of a scheduler as the config builds it.

    Returns:
        list[str]: Each setting that differs, with both values.
    """
    keys = [key for key in {**old, **new} if key not in _PROGRESS]
    pairs = {key: (_plain(old.get(key, _ABSENT)), _plain(new.get(key, _ABSENT))) for key in keys}
    return [f'{name} {key.strip("_")}: {a} -> {b}' for key, (a, b) in pairs.items() if a != b]


def is_extension(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Check whether a schedule goes on unchanged and only ends later.

    Args:
        name: Class of the scheduler.
        old: State in the checkpoint.
        new: State of a scheduler as the config builds it.

    Returns:
        bool: Whether all values up to the old end are the same.
    """
    later = new.get('end', 0) > old.get('end', 0)
    same = not scheduler_changes(name, {**old, 'end': 0}, {**new, 'end': 0})
    return later and same and name.startswith(_ENDLESS)


def optimizer_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> tuple[list[str], bool]:
    """Compare the settings of an optimizer's parameter groups.

    Args:
        old: Groups in the checkpoint.
        new: Groups as the config builds them.

    Returns:
        tuple[list[str], bool]: Each setting that differs in the first such group; and whether the optimizer of the
        checkpoint is of another class.
    """
    for before, after in zip(old, new, strict=False):
        before, after = _settings(before), _settings(after)
        both = [key for key in after if key in before]
        changes = [f'{key}: {before[key]} -> {after[key]}' for key in both if before[key] != after[key]]
        other = any((key in before) != (key in after) for key in _CLASS_KEYS)
        if other or changes:
            return changes, other
    return [], False


def odd_moments(
    states: Mapping[Any, Any], old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Find moments of an optimizer that do not belong to its weights.

    Args:
        states: State of each weight in the checkpoint, by its number.
        old: Groups in the checkpoint, with the numbers of their weights.
        new: Groups of the run, with as many weights.

    Returns:
        list[str]: Each moment that is not a tensor of the shape of its weight.
    """
    weights = {
        number: weight
        for before, after in zip(old, new, strict=True)
        for number, weight in zip(before['params'], after['params'], strict=True)
    }
    found = []
    for number, weight in weights.items():
        state = states.get(number)
        if state is not None and not isinstance(state, Mapping):
            found.append(f'state[{number}] of type {type(state).__name__}, allowed: a dict')
        for key in _MOMENTS if isinstance(state, Mapping) else ():
            shape = getattr(state.get(key), 'shape', None)
            if state.get(key) is not None and shape != weight.shape:
                shown = type(state[key]).__name__ if shape is None else f'shape {tuple(shape)}'
                found.append(f'state[{number}].{key} of {shown}, allowed: {tuple(weight.shape)}')
    return found


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: _plain(value) for key, value in group.items() if key not in ('params', 'initial_lr')}
    if 'initial_lr' in group:  # lr itself follows the schedule
        settings['lr'] = _plain(group['initial_lr'])
    return {key: value for key, value in settings.items() if not key.startswith('initial_')}


def config_changes(old: str, new: str) -> list[str]:
    """Compare model, data, optimizer and length of training of two configs.

    Args:
        old: Text of the config in the checkpoint; it is read, not run.
        new: Text of this run's config.

    Returns:
        list[str]: Keys with both values.
    """
    try:
        before, after = (dict(_flat(read_config(text))) for text in (old, new))
    except (SyntaxError, ValueError, RecursionError):
        return ['the config in the checkpoint cannot be read']
    changes = []
    for key in {**before, **after}:
        a, b = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if a != b and key.split('.')[0] in _READ and not any(word in _SPEED for word in key.split('.')):
            changes.append(f'{key}: {reprlib.repr(a)} -> {reprlib.repr(b)}')
    return changes


def shortened(changes: Sequence[str]) -> str:
    """Join changes; of many, name the first.

    Args:
        changes: Phrases.

    Returns:
        str: One phrase.
    """
    more = len(changes) - _FIRST
    return '; '.join(changes[:_FIRST]) + (f'; and {more} more' if more > 0 else '')


def read_config(text: str) -> dict[str, Any]:
    """Read the text of a config without running it.

    Args:
        text: Assignments of literals and ``dict(...)`` calls, as mmengine writes them.

    Returns:
        dict[str, Any]: Values by name; anything but a literal is its text.

    Raises:
        SyntaxError: It is not Python text.
    """
    assignments = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {node.targets[0].id: _value(node.value) for node in assignments if isinstance(node.targets[0], ast.Name)}


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {str(word.arg): _value(word.value) for word in node.keywords}
    if isinstance(node, ast.Dict):
        return {str(_value(key)): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [_value(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _flat(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f'{key}.{name}' if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for i, inner in enumerate(value):
            yield from _flat(inner, f'{key}.{i}')
    else:
        yield key, value


def _plain(value: Any) -> Any:
    """Lists, dicts and numbers, whatever class a checkpoint or a scheduler keeps them in."""
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
