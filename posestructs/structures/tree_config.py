"""Trees as configs write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.shipped_files import find_file


def build_tree(cfg: KinematicTree | Mapping[str, Any]) -> KinematicTree:
    """What every module does with its ``tree``.

    Args:
        cfg: One of

            - a :class:`KinematicTree`;
            - ``dict(from_file='lsp-26.py')``: the ``tree`` of a config file; of a relative path that leads nowhere, the
              shipped file of that name (``configs/_base_/trees``);
            - ``dict(metainfo=dict(from_file='coco.py'), root='nose')``: :meth:`KinematicTree.from_metainfo`;
            - ``dict(names=..., parents=..., ...)``: :meth:`KinematicTree.from_parents`;
            - ``dict(joints=[...], parts=[dict(name=..., parent=..., of={joint: weight})], mirror=[...])``: the same, a
              line a part, as the shipped files are written; ``of`` makes a part virtual.

    Returns:
        KinematicTree: The tree.

    Raises:
        TypeError: ``tree`` is neither a tree nor a dict.
        KeyError: It has a key that it must not have.
        ValueError: It describes no tree.
        FileNotFoundError: There is no such file.
    """
    if isinstance(cfg, KinematicTree):
        return cfg
    if not isinstance(cfg, Mapping):
        raise TypeError(f'tree must be a dict or a KinematicTree, got {type(cfg).__name__}: {cfg!r}')
    for form in _FORMS:
        if form.required <= set(cfg):
            unknown = sorted(set(cfg) - form.required - form.optional)
            if unknown:
                others = f'; others that may: {sorted(form.optional)}' if form.optional else ''
                raise KeyError(f'tree: {unknown} cannot stand beside {sorted(form.required)}{others}')
            return form.build(**cfg)
    forms = ', or '.join(' and '.join(sorted(form.required)) for form in _FORMS)
    raise KeyError(f'tree must have the keys {forms}; got {list(cfg)}')


def _read_file(from_file: str) -> KinematicTree:
    path = find_file('tree from_file', from_file, 'trees')
    config = Config.fromfile(str(path))
    if 'tree' not in config:
        raise ValueError(f'{path}: key tree is missing, it has {sorted(config)}')
    try:
        return build_tree(config.tree)
    except (KeyError, TypeError, ValueError) as error:
        raise type(error)(f'{path}: {error.args[0]}') from error


def _read_rows(
    joints: Sequence[str], parts: Sequence[Mapping[str, Any]], mirror: Sequence | Mapping | None = None
) -> KinematicTree:
    for i, row in enumerate(parts):
        if not isinstance(row, Mapping) or not {'name', 'parent'} <= set(row) <= {'name', 'parent', 'of'}:
            raise ValueError(f'parts[{i}] must be a dict of name, parent and, of a virtual part, of; got {row!r}')
    return KinematicTree.from_parents(
        [row['name'] for row in parts],
        [row['parent'] for row in parts],
        mirror,
        joints,
        {row['name']: row['of'] for row in parts if 'of' in row},
    )


class _Form(NamedTuple):
    """One way to write a tree in a config."""

    required: frozenset[str]
    optional: frozenset[str]
    build: Callable[..., KinematicTree]


_FORMS = (
    _Form(frozenset({'from_file'}), frozenset(), _read_file),
    _Form(frozenset({'metainfo'}), frozenset({'root'}), KinematicTree.from_metainfo),
    _Form(frozenset({'joints', 'parts'}), frozenset({'mirror'}), _read_rows),
    _Form(frozenset({'names', 'parents'}), frozenset({'mirror', 'joints', 'weights'}), KinematicTree.from_parents),
)
