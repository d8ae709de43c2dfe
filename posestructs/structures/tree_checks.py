"""Read the lists that make a tree of parts, and check them.

Shapes: V parts, K joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from posestructs.utils.checks import is_integer, is_number


def check_names(key: str, names: Sequence[str]) -> None:
    """Check that a list holds different names.

    Args:
        key: Name of the list, for the error.
        names: The list.

    Raises:
        TypeError: It is not a list of strings.
        ValueError: It is empty, or contains a name twice.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
        raise TypeError(f'{key}={names!r}, allowed: a list of names')
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice or not names or not all(names):
        found = f', {twice} occur twice' if twice else ''
        raise ValueError(f'{key}={list(names)}, allowed: at least one name, each once{found}')


def parent_indices(
    names: Sequence[str], parents: Sequence[int | str | None], index: Mapping[str, int]
) -> tuple[int, ...]:
    """Convert parents to indices.

    Args:
        names: Names of the V parts.
        parents: Index or name of each parent; None or -1 for the root.
        index: Index of each part by name.

    Returns:
        tuple[int, ...]: Index of each parent, -1 for the root.

    Raises:
        TypeError: ``parents`` is not a list.
        ValueError: A name is unknown.
    """
    if isinstance(parents, str) or not isinstance(parents, (Sequence, np.ndarray)):
        raise TypeError(f'parents={parents!r}, allowed: a list')
    found = []
    for name, parent in zip(names, parents, strict=False):
        if isinstance(parent, str):
            parent = known(parent, index, f'the parent of {name!r}')
        elif parent is None:
            parent = -1
        found.append(parent)
    return (*found, *parents[len(names) :])


def check_parents(names: Sequence[str], parents: Sequence[int]) -> None:
    """Check that parents make a tree.

    Args:
        names: Names of the V parts.
        parents: Index of each parent, -1 for the root.

    Raises:
        TypeError: A parent is not an integer.
        ValueError: There is no root or several, a cycle, or a part that cannot be reached from the root.
    """
    if len(parents) != len(names):
        raise ValueError(f'parents has {len(parents)} entries, allowed: {len(names)}, one per part')
    for name, parent in zip(names, parents, strict=True):
        if not is_integer(parent):
            raise TypeError(f'parents: the parent of {name!r} is {parent!r}, allowed: a name, None or an integer')
        if not -1 <= parent < len(names):
            raise ValueError(f'parents: the parent of {name!r} is {parent}, allowed: -1 to {len(names) - 1}')
    roots = [name for name, parent in zip(names, parents, strict=True) if parent == -1]
    cycle = _find_cycle(parents)
    if cycle:
        path = ' -> '.join(names[v] for v in (*cycle, cycle[0]))
        stuck = [names[v] for v in range(len(names)) if not _reaches_root(v, parents) and v not in cycle]
        rest = f'; unreachable from the root because of it: {stuck}' if stuck else ''
        none = 'there is no root, and ' if not roots else ''
        raise ValueError(f'parents: {none}the parents of these parts form a cycle: {path}{rest}')
    if len(roots) != 1:
        raise ValueError(f'parents has {len(roots)} roots (parent None or -1): {roots}, allowed: one')


def _find_cycle(parents: Sequence[int]) -> list[int]:
    for start in range(len(parents)):
        path, v = [], start
        while v >= 0 and v not in path:
            path.append(v)
            v = parents[v]
        if v >= 0:
            return path[path.index(v) :]
    return []


def _reaches_root(v: int, parents: Sequence[int]) -> bool:
    for _ in parents:
        v = parents[v] if v >= 0 else v
    return v < 0


@lru_cache(maxsize=64)
def tree_levels(parents: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Parts by their distance from the root.

    Args:
        parents: Parent of each part, -1 for the root.

    Returns:
        tuple[tuple[int, ...], ...]: Parts of each level in ascending order; ``levels[0]`` is the root alone.

    Raises:
        TypeError: A parent is not an integer.
        ValueError: The parents do not form a tree with one root.
    """
    check_parents([str(k) for k in range(len(parents))], parents)
    levels = [(parents.index(-1),)]
    while level := tuple(k for k, parent in enumerate(parents) if parent in levels[-1]):
        levels.append(level)
    return tuple(levels)


def mirror_indices(
    names: Sequence[str], mirror: Mapping[str, str] | Sequence | None, index: Mapping[str, int]
) -> tuple[int, ...]:
    """Convert mirror images to indices.

    Args:
        names: Names of the V parts.
        mirror: Pairs of names, a dict of names, V indices, or None.
        index: Index of each part by name.

    Returns:
        tuple[int, ...]: Index of the mirror image of each part.

    Raises:
        TypeError: ``mirror`` is none of these.
        ValueError: A name is unknown, or a part has two mirror images.
    """
    if mirror is None:
        return tuple(range(len(names)))
    if not isinstance(mirror, Mapping) and len(mirror) and all(map(is_integer, mirror)):
        return tuple(mirror)
    pairs = list(mirror.items()) if isinstance(mirror, Mapping) else list(mirror)
    found: dict[int, int] = {}
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f'mirror holds {pair!r}, allowed: pairs of names, a dict of names or {len(names)} indices')
        a, b = (known(name, index, 'mirror') for name in pair)
        for v, image in ((a, b), (b, a)):
            if found.setdefault(v, image) != image:
                raise ValueError(f'mirror pairs {names[v]!r} with both {names[found[v]]!r} and {names[image]!r}')
    return tuple(found.get(v, v) for v in range(len(names)))


def check_mirror(names: Sequence[str], mirror: Sequence[int]) -> None:
    """Check that mirror images lead back to their parts.

    Args:
        names: Names of the V parts.
        mirror: Index of the mirror image of each part.

    Raises:
        ValueError: The length differs, an index is out of range, or a mirror image does not lead back.
    """
    if len(mirror) != len(names):
        raise ValueError(f'mirror has {len(mirror)} entries, allowed: {len(names)}, one per part')
    for v, image in enumerate(mirror):
        if not 0 <= image < len(names):
            raise ValueError(f'mirror: the mirror image of {names[v]!r} is {image}, allowed: 0 to {len(names) - 1}')
    for v, image in enumerate(mirror):
        if mirror[image] != v:
            raise ValueError(
                f'mirror does not lead back: the mirror image of {names[v]!r} is {names[image]!r}, whose own is '
                f'{names[mirror[image]]!r}'
            )


def weight_matrix(
    names: Sequence[str], joints: Sequence[str], virtual: Mapping[str, Mapping[str, float]]
) -> np.ndarray:
    """Gather the weights of all parts in one array.

    Args:
        names: Names of the V parts.
        joints: Names of the K joints.
        virtual: For each virtual part, the weights of the joints that it is made of.

    Returns:
        np.ndarray: (V, K) float64 weights.

    Raises:
        TypeError: A weight is not a number.
        ValueError: A name is unknown, a joint is given as virtual, or a part is neither.
    """
    index = {joint: k for k, joint in enumerate(joints)}
    parts = {name: v for v, name in enumerate(names)}
    matrix = np.zeros((len(names), len(joints)))
    for name, made_of in virtual.items():
        v = known(name, parts, 'weights')
        if name in index:
            raise ValueError(f'weights: {name!r} is a joint and cannot be made of others')
        if not isinstance(made_of, Mapping):
            raise TypeError(f'weights of {name!r} are {made_of!r}, allowed: a dict from joint to weight')
        for joint, weight in made_of.items():
            if not is_number(weight):
                raise TypeError(f'weights of {name!r}: the weight of {joint!r} is {weight!r}, allowed: a finite number')
            matrix[v, known(joint, index, f'weights of {name!r}', 'joint')] = weight
    for v, name in enumerate(names):
        if name in index:
            matrix[v, index[name]] = 1
        elif name not in virtual:
            raise ValueError(f'part {name!r} is neither one of the joints {list(joints)} nor made of joints by weights')
    return matrix


def check_part_weights(names: Sequence[str], joints: Sequence[str], weights: Any) -> None:
    """Check the weights that make parts of joints.

    Args:
        names: Names of the V parts.
        joints: Names of the K joints.
        weights: (V, K) array.

    Raises:
        ValueError: It is not such an array of finite numbers, a row does not sum to 1, or a joint is not its own part.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(names), len(joints)) or weights.dtype.kind not in 'fiu' or not np.isfinite(weights).all():
        raise ValueError(
            f'weights is {weights.dtype} of shape {weights.shape}, allowed: finite numbers of shape (parts, joints) = '
            f'({len(names)}, {len(joints)})'
        )
    for name, row in zip(names, weights, strict=True):
        if abs(row.sum() - 1) > 1e-6:
            raise ValueError(f'weights of {name!r} sum to {row.sum():g}, allowed: 1')
    for k, joint in enumerate(joints):
        row = weights[known(joint, {name: v for v, name in enumerate(names)}, 'joints')]
        if row[k] != 1 or np.count_nonzero(row) != 1:
            raise ValueError(f'weights of the joint {joint!r} are {row.tolist()}, allowed: 1 for itself, 0 elsewhere')


def known(name: Any, index: Mapping[str, int], where: str, what: str = 'part') -> int:
    """Look up the index of a name.

    Args:
        name: The name.
        index: Indices by name.
        where: Place of the name, for the error.
        what: Kind of the named thing, for the error.

    Returns:
        int: The index.

    Raises:
        ValueError: It is none of the names.
    """
    if not isinstance(name, str) or name not in index:
        raise ValueError(f'{where}: {name!r} is not a {what}, the {what}s are {list(index)}')
    return index[name]
