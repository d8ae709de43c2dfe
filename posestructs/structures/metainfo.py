"""Metainfo of a data set: mmpose's, plus what structured metrics and models need.

Beside mmpose's keys a metainfo file (``configs/_base_/datasets/*.py``) may hold

- ``sticks``: list of ``dict(name, side, ends)``, the limbs that PCP scores. ``side`` is 'left', 'right' or None; each
  of the two ``ends`` is a joint name or a tuple of joint names, which stands for their mean.
- ``torso_pair``: the two joints whose distance is the reference length of TorsoPCK and PDJ.
- ``joint_groups``: dict from the name of a table column to its joints, such as ``wrist=['left_wrist', 'right_wrist']``.

mmpose's parser drops keys that it does not know; :func:`load_metainfo` keeps these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

from mmengine import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from posestructs.utils.paths import config_root

EXTRA_KEYS = ('sticks', 'torso_pair', 'joint_groups')
_REQUIRED_KEYS = ('dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights', 'sigmas')


def metainfo_file(name: str) -> str:
    """Absolute path of a shipped metainfo file.

    Args:
        name (str): File name without extension, such as ``'lsp'``.

    Returns:
        str: The path. It can be used as ``metainfo=dict(from_file=...)``.

    Raises:
        FileNotFoundError: No such file is shipped; the message lists those that are.
    """
    folder = config_root() / '_base_' / 'datasets'
    path = folder / f'{name}.py'
    if not path.is_file():
        shipped = sorted(p.stem for p in folder.glob('*.py'))
        raise FileNotFoundError(f'metainfo {name!r} is not shipped: {path} does not exist, there are {shipped}')
    return str(path)


def load_metainfo(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Parse and check metainfo, and keep the keys that mmpose's parser drops.

    Args:
        metainfo (Mapping): Raw metainfo, or ``dict(from_file=path)``. A relative path is looked for in the working
            directory, then by its name among the shipped files, then among mmpose's.

    Returns:
        dict: What ``mmpose.datasets.datasets.utils.parse_pose_metainfo`` gives, plus those of ``sticks``,
        ``torso_pair`` and ``joint_groups`` that the raw metainfo has, as plain lists, tuples, dicts and strings.

    Raises:
        TypeError: ``metainfo`` is not a mapping.
        ValueError: A key is missing, or a joint, side or length does not fit; names the file and the key.
        FileNotFoundError: ``from_file`` is nowhere to be found.
    """
    raw, source = _read(metainfo)
    _check_joints(raw, source)
    parsed = parse_pose_metainfo(raw)
    names = set(parsed['keypoint_name2id'])
    for key, check in (('sticks', _check_sticks), ('torso_pair', _check_pair), ('joint_groups', _check_groups)):
        if key in raw:
            parsed[key] = check(raw[key], names, f'{source}: {key}')
    return parsed


def raw_metainfo(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Metainfo as it is written, not parsed.

    Args:
        metainfo (Mapping): As of :func:`load_metainfo`.

    Returns:
        dict: The metainfo, or the ``dataset_info`` of its file, as plain lists, tuples, dicts and strings.

    Raises:
        TypeError: ``metainfo`` is not a mapping.
        ValueError: The file has no ``dataset_info``.
        FileNotFoundError: ``from_file`` is nowhere to be found.
    """
    return _read(metainfo)[0]


@lru_cache
def joint_names(name: str) -> tuple[str, ...]:
    """Joints of a shipped metainfo file, in order.

    Args:
        name (str): File name without extension, such as ``'lsp'``.

    Returns:
        tuple[str, ...]: Their names.
    """
    return tuple(load_metainfo(dict(from_file=metainfo_file(name)))['keypoint_id2name'].values())


def _read(metainfo: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Raw metainfo, and what to call it in an error."""
    if not isinstance(metainfo, Mapping):
        raise TypeError(f'metainfo must be a dict, got {type(metainfo).__name__}: {metainfo!r}')
    if 'from_file' not in metainfo:
        return _plain(metainfo), 'metainfo'
    source = _find(str(metainfo['from_file']))
    config = Config.fromfile(source)
    if 'dataset_info' not in config:
        raise ValueError(f'{source}: key dataset_info is missing, it has {sorted(config)}')
    return _plain(config.dataset_info), source


def _find(path: str) -> str:
    if Path(path).is_file():
        return path
    name = Path(path).name
    shipped = config_root() / '_base_' / 'datasets' / name
    if shipped.is_file():
        return str(shipped)
    import mmpose

    theirs = Path(mmpose.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets' / name
    if theirs.is_file():
        return str(theirs)
    raise FileNotFoundError(f'metainfo from_file={path!r}: neither this file nor {shipped} nor {theirs} exists')


def _plain(value: Any) -> Any:
    """Config's dict subclass as a plain dict, so that a checkpoint that holds metainfo loads under ``weights_only``."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v) for v in value)
    return value


def _check_joints(raw: dict, source: str) -> None:
    for key in _REQUIRED_KEYS:
        if key not in raw:
            raise ValueError(f'{source}: key {key} is missing, it has {sorted(map(str, raw))}')
    for key in ('keypoint_info', 'skeleton_info'):
        if not isinstance(raw[key], dict) or not all(isinstance(item, dict) for item in raw[key].values()):
            raise ValueError(
                f'{source}: {key}={raw[key]!r}, allowed: a dict of dicts by number, empty where there is none'
            )
    info = raw['keypoint_info']
    if list(info) != list(range(len(info))):
        raise ValueError(f'{source}: keypoint_info must be keyed 0 to {len(info) - 1} in order, got {list(info)}')
    for i, joint in info.items():
        if not isinstance(joint.get('name'), str) or not joint['name']:
            raise ValueError(f'{source}: keypoint_info[{i}].name={joint.get("name")!r}, allowed: the name of a joint')
        if joint.get('id', i) != i:
            raise ValueError(f'{source}: keypoint_info[{i}].id={joint["id"]!r}, allowed: {i}, its key')
        if joint.get('swap') is None:
            joint['swap'] = ''
    names = [joint['name'] for joint in info.values()]
    if len(set(names)) != len(names):
        raise ValueError(f'{source}: keypoint_info names a joint twice: {names}')
    swaps = {joint['name']: joint['swap'] or joint['name'] for joint in info.values()}
    for name, swap in swaps.items():
        if swaps.get(swap) != name:
            raise ValueError(f'{source}: keypoint_info swap={swap!r} of {name!r} does not lead back to {name!r}')
    _check_values(raw, 'joint_weights', len(names), source, 'numbers of at least 0', lambda value: value >= 0)
    _check_values(raw, 'sigmas', len(names), source, 'numbers above 0', lambda value: value > 0)
    for i, link in raw['skeleton_info'].items():
        _check_pair(link.get('link'), set(names), f'{source}: skeleton_info[{i}].link')


def _check_values(
    raw: dict, key: str, count: int, source: str, allowed: str, is_allowed: Callable[[float], bool]
) -> None:
    values = raw[key]
    if not isinstance(values, (list, tuple)) or len(values) != count:
        found = repr(values) if not isinstance(values, (list, tuple)) else f'a list of {len(values)} values'
        raise ValueError(f'{source}: {key} is {found}, allowed: a list of {count} values, one for each joint')
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or not is_allowed(value):
            raise ValueError(f'{source}: {key}[{i}]={value!r}, allowed: {allowed}')


def _check_names(found: Sequence[str], names: set[str], where: str) -> None:
    for name in found:
        if name not in names:
            raise ValueError(f'{where}: {name!r} is not a joint, the joints are {sorted(names)}')


def _check_pair(pair: Sequence[str], names: set[str], where: str) -> tuple[str, str]:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f'{where} must be two different joints, got {pair!r}')
    _check_names(pair, names, where)
    return tuple(pair)


def _check_sticks(sticks: Sequence[dict], names: set[str], where: str) -> list[dict]:
    checked = []
    for i, stick in enumerate(sticks):
        here = f'{where}[{i}]'
        if set(stick) != {'name', 'side', 'ends'}:
            raise ValueError(f'{here} must have the keys name, side and ends, got {sorted(stick)}')
        if stick['side'] not in ('left', 'right', None):
            raise ValueError(f'{here}.side must be left, right or None, got {stick["side"]!r}')
        ends = [(end,) if isinstance(end, str) else tuple(end) for end in stick['ends']]
        if len(ends) != 2 or not all(ends) or set(ends[0]) == set(ends[1]):
            raise ValueError(f'{here}.ends must be two different joints or tuples of joints, got {stick["ends"]!r}')
        _check_names([*ends[0], *ends[1]], names, f'{here}.ends')
        ends = tuple(end[0] if len(end) == 1 else end for end in ends)
        checked.append(dict(name=stick['name'], side=stick['side'], ends=ends))
    labels = [(stick['name'], stick['side']) for stick in checked]
    if len(set(labels)) != len(labels):
        raise ValueError(f'{where} names a stick twice: {labels}')
    return checked


def _check_groups(groups: Mapping[str, Sequence[str]], names: set[str], where: str) -> dict[str, list[str]]:
    for column, joints in groups.items():
        if isinstance(joints, str) or not joints:
            raise ValueError(f'{where}[{column!r}] must be a list of joints, got {joints!r}')
        _check_names(joints, names, f'{where}[{column!r}]')
    return {column: list(joints) for column, joints in groups.items()}
