"""Metainfo of a data set: mmpose's, plus what structured metrics and models need.

In addition to mmpose's keys, a metainfo file (``configs/_base_/datasets/*.py``) may contain

- ``sticks``: list of ``dict(name, side, ends)``, the limbs that PCP scores. ``side`` is 'left', 'right' or None; each
  of the two ``ends`` is a joint, or a tuple of joints for their mean.
- ``torso_pair``: two joints whose distance is the reference length of TorsoPCK and PDJ.
- ``joint_groups``: dict from the name of a table column to its joints, such as ``wrist=['left_wrist', 'right_wrist']``.

mmpose's parser drops keys that it does not know; :func:`load_metainfo` keeps these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from mmpose.datasets.datasets.utils import parse_pose_metainfo

from posestructs.utils.checks import check_choice, check_keys, check_number, check_sequence, invalid_value
from posestructs.utils.config_bases import read_config
from posestructs.utils.paths import config_root

EXTRA_KEYS = ('sticks', 'torso_pair', 'joint_groups')
_REQUIRED_KEYS = ('dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights', 'sigmas')


def metainfo_file(name: str) -> str:
    """Absolute path of a shipped metainfo file.

    Args:
        name: File name without extension, such as ``'lsp'``.

    Returns:
        str: The path, for ``metainfo=dict(from_file=...)``.

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
        metainfo: Raw metainfo, or ``dict(from_file=path)``. A relative path is searched in the working directory, then
            by its name among the shipped files, then among mmpose's.

    Returns:
        dict: Output of ``mmpose.datasets.datasets.utils.parse_pose_metainfo``, plus ``sticks``, ``torso_pair`` and
        ``joint_groups`` where the raw metainfo has them, as plain lists, tuples, dicts and strings.

    Raises:
        TypeError: ``metainfo`` is not a mapping.
        ValueError: A key is missing, or a joint, side or length does not fit; names the file and the key.
        FileNotFoundError: ``from_file`` is not found.
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
    """Read metainfo without parsing it.

    Args:
        metainfo: Raw metainfo, or ``dict(from_file=path)`` as in :func:`load_metainfo`.

    Returns:
        dict: The metainfo, or the ``dataset_info`` of its file, as plain lists, tuples, dicts and strings.

    Raises:
        TypeError: ``metainfo`` is not a mapping.
        ValueError: The file has no ``dataset_info``.
        FileNotFoundError: ``from_file`` is not found.
    """
    return _read(metainfo)[0]


@lru_cache
def joint_names(name: str) -> tuple[str, ...]:
    """Names of the joints of a shipped metainfo file, in order.

    Args:
        name: File name without extension, such as ``'lsp'``.

    Returns:
        tuple[str, ...]: The names.
    """
    return tuple(load_metainfo(dict(from_file=metainfo_file(name)))['keypoint_id2name'].values())


def _read(metainfo: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Raw metainfo, and its name for errors."""
    if not isinstance(metainfo, Mapping):
        raise TypeError(f'metainfo={metainfo!r}, allowed: a dict')
    if 'from_file' not in metainfo:
        return _plain(metainfo), 'metainfo'
    source = _find(str(metainfo['from_file']))
    config = read_config(source)
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
    """Convert mmengine's dicts to plain ones, so that a checkpoint with metainfo loads under ``weights_only``."""
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
            raise invalid_value(f'{source}: {key}', raw[key], 'a dict of dicts by number, empty for none')
    info = raw['keypoint_info']
    if list(info) != list(range(len(info))):
        raise invalid_value(f'{source}: keys of keypoint_info', list(info), f'0 to {len(info) - 1} in order')
    for i, joint in info.items():
        if not isinstance(joint.get('name'), str) or not joint['name']:
            raise invalid_value(f'{source}: keypoint_info[{i}].name', joint.get('name'), 'the name of a joint')
        if joint.get('id', i) != i:
            raise invalid_value(f'{source}: keypoint_info[{i}].id', joint['id'], f'{i}, its key')
        if joint.get('swap') is None:
            joint['swap'] = ''
        if not isinstance(joint['swap'], str):
            raise invalid_value(f'{source}: keypoint_info[{i}].swap', joint['swap'], "the name of a joint, or ''")
        _check_look(f'{source}: keypoint_info[{i}] ({joint["name"]})', joint)
    names = [joint['name'] for joint in info.values()]
    if len(set(names)) != len(names):
        raise ValueError(f'{source}: keypoint_info names a joint twice: {names}')
    swaps = {joint['name']: joint['swap'] or joint['name'] for joint in info.values()}
    for name, swap in swaps.items():
        if swaps.get(swap) != name:
            raise ValueError(f'{source}: keypoint_info swap={swap!r} of {name!r} does not lead back to {name!r}')
    for key, check in (('joint_weights', partial(check_number, low=0)), ('sigmas', partial(check_number, above=0))):
        check_sequence(f'{source}: {key}', raw[key], check, len(names))
    for i, link in raw['skeleton_info'].items():
        _check_pair(link.get('link'), set(names), f'{source}: skeleton_info[{i}].link')
        _check_color(f'{source}: skeleton_info[{i}]', link)


def _check_look(key: str, joint: Mapping[str, Any]) -> None:
    """Check colour and type of a joint, for which mmpose has no message."""
    _check_color(key, joint)
    if joint.get('type', '') not in ('upper', 'lower', '', None):
        raise invalid_value(f'{key}.type', joint['type'], "'upper', 'lower' or ''")


def _check_color(key: str, item: Mapping[str, Any]) -> None:
    if 'color' in item:
        check_sequence(f'{key}.color', item['color'], partial(check_number, low=0, high=255), 3)


def _check_names(found: Sequence[str], names: set[str], key: str) -> None:
    for name in found:
        if name not in names:
            raise ValueError(f'{key}: {name!r} is not a joint, the joints are {sorted(names)}')


def _check_pair(pair: Sequence[str], names: set[str], key: str) -> tuple[str, str]:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] == pair[1]:
        raise invalid_value(key, pair, 'two different joints')
    _check_names(pair, names, key)
    return tuple(pair)


def _check_sticks(sticks: Sequence[dict], names: set[str], key: str) -> list[dict]:
    checked = []
    for i, stick in enumerate(check_sequence(key, sticks)):
        here, keys = f'{key}[{i}]', ('name', 'side', 'ends')
        check_keys(here, stick, keys, keys)
        check_choice(f'{here}.side', stick['side'], ('left', 'right', None))
        ends = [(end,) if isinstance(end, str) else tuple(end) for end in check_sequence(f'{here}.ends', stick['ends'])]
        if len(ends) != 2 or not all(ends) or set(ends[0]) == set(ends[1]):
            raise invalid_value(f'{here}.ends', stick['ends'], 'two different joints or tuples of joints')
        _check_names([*ends[0], *ends[1]], names, f'{here}.ends')
        ends = tuple(end[0] if len(end) == 1 else end for end in ends)
        checked.append(dict(name=stick['name'], side=stick['side'], ends=ends))
    labels = [(stick['name'], stick['side']) for stick in checked]
    if len(set(labels)) != len(labels):
        raise ValueError(f'{key} names a stick twice: {labels}')
    return checked


def _check_groups(groups: Mapping[str, Sequence[str]], names: set[str], key: str) -> dict[str, list[str]]:
    if not isinstance(groups, Mapping):
        raise invalid_value(key, groups, 'a dict from the name of a column to its joints')
    for column, joints in groups.items():
        _check_names(check_sequence(f'{key}[{column!r}]', joints), names, f'{key}[{column!r}]')
    return {column: list(joints) for column, joints in groups.items()}
