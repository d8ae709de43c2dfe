"""Build trees from configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.shipped_files import find_file
from posestructs.utils.config_bases import read_config


def build_tree(cfg: KinematicTree | Mapping[str, Any]) -> KinematicTree:
    """Build the tree of a module from its config.

    Args:
        cfg: One of

            - a :class:`KinematicTree`;
            - ``dict(from_file='lsp-26.py')``: the ``tree`` of a config file; a relative path that does not exist names
              a shipped file (``configs/_base_/trees``);
            - ``dict(metainfo=dict(from_file='coco.py'), root='nose')``: :meth:`KinematicTree.from_metainfo`;
            - ``dict(names=..., parents=..., ...)``: :meth:`KinematicTree.from_parents`;
            - ``dict(joints=[...], parts=[dict(name=..., parent=..., of={joint: weight})], mirror=[...])``: the same
              with one line per part, as in the shipped files; ``of`` makes a part virtual.

    Returns:
        KinematicTree: The tree.

    Raises:
        TypeError: ``tree`` is neither a tree nor a dict.
        KeyError: It has an unknown key.
        ValueError: It does not describe a tree.
        FileNotFoundError: The file does not exist.
    """
    if isinstance(cfg, KinematicTree):
        return cfg
    if not isinstance(cfg, Mapping):
        raise TypeError(f'tree={cfg!r}, allowed: a dict or a KinematicTree')
    for form in _FORMS:
        if form.required <= set(cfg):
            unknown = sorted(set(cfg) - form.required - form.optional)
            if unknown:
                others = f' and {sorted(form.optional)}' if form.optional else ''
                raise KeyError(f'tree: unknown keys {unknown}, allowed: {sorted(form.required)}{others}')
            return form.build(**cfg)
    forms = ', or '.join(' and '.join(sorted(form.required)) for form in _FORMS)
    raise KeyError(f'tree: keys {list(cfg)}, allowed: {forms}')


def _read_file(from_file: str) -> KinematicTree:
    path = find_file('tree from_file', from_file, 'trees')
    config = read_config(path)
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
            raise ValueError(f'parts[{i}]={row!r}, allowed: a dict of name, parent and, for a virtual part, of')
    return KinematicTree.from_parents(
        [row['name'] for row in parts],
        [row['parent'] for row in parts],
        mirror,
        joints,
        {row['name']: row['of'] for row in parts if 'of' in row},
    )


class _Form(NamedTuple):
    """One form of a tree in a config."""

    required: frozenset[str]
    optional: frozenset[str]
    build: Callable[..., KinematicTree]


_FORMS = (
    _Form(frozenset({'from_file'}), frozenset(), _read_file),
    _Form(frozenset({'metainfo'}), frozenset({'root'}), KinematicTree.from_metainfo),
    _Form(frozenset({'joints', 'parts'}), frozenset({'mirror'}), _read_rows),
    _Form(frozenset({'names', 'parents'}), frozenset({'mirror', 'joints', 'weights'}), KinematicTree.from_parents),
)
