"""What makes a tree of parts: its lists read from names, and everything that can be wrong with them.

Shape legend: V parts, K joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_names(key: str, names: Sequence[str]) -> None:
    """Refuse what is not a list of different names.

    Args:
        key (str): What the list is, for the error.
        names (Sequence[str]): The list.

    Raises:
        TypeError: It is no list of strings.
        ValueError: It is empty or names something twice.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
        raise TypeError(f'{key} must be a list of names, got {names!r}')
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice or not names or not all(names):
        found = f'{twice} twice' if twice else f'{list(names)}'
        raise ValueError(f'{key} must be at least one name, each once, got {found}')


def parent_indices(
    names: Sequence[str], parents: Sequence[int | str | None], index: Mapping[str, int]
) -> tuple[int, ...]:
    """Parents as numbers.

    Args:
        names (Sequence[str]): V parts.
        parents (Sequence): V numbers or names; None or -1 for the root.
        index (Mapping[str, int]): Part to its number.

    Returns:
        tuple[int, ...]: V.

    Raises:
        TypeError: It is no list of names, or of numbers.
        ValueError: A name is unknown.
    """
    if isinstance(parents, str) or not isinstance(parents, (Sequence, np.ndarray)):
        raise TypeError(f'parents must be a list, got {parents!r}')
    found = []
    for name, parent in zip(names, parents, strict=False):
        if isinstance(parent, str):
            parent = known(parent, index, f'the parent of {name!r}')
        elif parent is None:
            parent = -1
        found.append(parent)
    return (*found, *parents[len(names) :])


def check_parents(names: Sequence[str], parents: Sequence[int]) -> None:
    """Refuse parents that make no tree.

    Args:
        names (Sequence[str]): V parts.
        parents (Sequence[int]): V numbers, -1 for the root.

    Raises:
        TypeError: A parent is no number.
        ValueError: No or several roots, a cycle, parts that no path leads to from the root.
    """
    if len(parents) != len(names):
        raise ValueError(f'parents has {len(parents)} entries for {len(names)} parts')
    for name, parent in zip(names, parents, strict=True):
        if isinstance(parent, bool) or not isinstance(parent, Integral):
            raise TypeError(f'parents: the parent of {name!r} must be a name, None or a number, got {parent!r}')
        if not -1 <= parent < len(names):
            raise ValueError(f'parents: the parent of {name!r} must be -1 to {len(names) - 1}, got {parent}')
    roots = [name for name, parent in zip(names, parents, strict=True) if parent == -1]
    cycle = _find_cycle(parents)
    if cycle:
        path = ' -> '.join(names[v] for v in (*cycle, cycle[0]))
        stuck = [names[v] for v in range(len(names)) if not _reaches_root(v, parents) and v not in cycle]
        rest = f'; unreachable from the root because of it: {stuck}' if stuck else ''
        none = 'there is no root, and ' if not roots else ''
        raise ValueError(f'parents: {none}the parents of these parts form a cycle: {path}{rest}')
    if len(roots) != 1:
        raise ValueError(f'parents: a tree has one root (parent None or -1), got {len(roots)}: {roots}')


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
        ValueError: The parents are no tree with one root.
    """
    check_parents([str(k) for k in range(len(parents))], parents)
    levels = [(parents.index(-1),)]
    while level := tuple(k for k, parent in enumerate(parents) if parent in levels[-1]):
        levels.append(level)
    return tuple(levels)


def mirror_indices(
    names: Sequence[str], mirror: Mapping[str, str] | Sequence | None, index: Mapping[str, int]
) -> tuple[int, ...]:
    """The mirror image of each part as a number.

    Args:
        names (Sequence[str]): V parts.
        mirror: Pairs of names, a dict of names, V numbers, or None.
        index (Mapping[str, int]): Part to its number.

    Returns:
        tuple[int, ...]: V.

    Raises:
        TypeError: It is none of these.
        ValueError: A name is unknown, or a part has two mirror images.
    """
    if mirror is None:
        return tuple(range(len(names)))
    if not isinstance(mirror, Mapping) and len(mirror) and all(isinstance(i, Integral) for i in mirror):
        return tuple(mirror)
    pairs = list(mirror.items()) if isinstance(mirror, Mapping) else list(mirror)
    found: dict[int, int] = {}
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(
                f'mirror must be pairs of names, a dict of names or {len(names)} numbers, got {pair!r} in it'
            )
        a, b = (known(name, index, 'mirror') for name in pair)
        for v, image in ((a, b), (b, a)):
            if found.setdefault(v, image) != image:
                raise ValueError(
                    f'mirror is no involution: {names[v]!r} goes with {names[found[v]]!r} and with {names[image]!r}'
                )
    return tuple(found.get(v, v) for v in range(len(names)))


def check_mirror(names: Sequence[str], mirror: Sequence[int]) -> None:
    """Refuse a mirror that does not lead back.

    Args:
        names (Sequence[str]): V parts.
        mirror (Sequence[int]): V numbers.

    Raises:
        ValueError: It has another length, a number out of range, or is no involution.
    """
    if len(mirror) != len(names):
        raise ValueError(f'mirror has {len(mirror)} entries for {len(names)} parts')
    for v, image in enumerate(mirror):
        if not 0 <= image < len(names):
            raise ValueError(f'mirror: that of {names[v]!r} must be 0 to {len(names) - 1}, got {image}')
    for v, image in enumerate(mirror):
        if mirror[image] != v:
            raise ValueError(
                f'mirror is no involution: that of {names[v]!r} is {names[image]!r}, whose own is '
                f'{names[mirror[image]]!r}'
            )


def weight_matrix(
    names: Sequence[str], joints: Sequence[str], virtual: Mapping[str, Mapping[str, float]]
) -> np.ndarray:
    """Weights of all parts as one array.

    Args:
        names (Sequence[str]): V parts.
        joints (Sequence[str]): K joints.
        virtual (Mapping): Of each virtual part, the weight of each joint that it is made of.

    Returns:
        np.ndarray: (V, K) float64.

    Raises:
        TypeError: A weight is no number.
        ValueError: A name is unknown, a joint is called virtual, or a part is neither.
    """
    index = {joint: k for k, joint in enumerate(joints)}
    parts = {name: v for v, name in enumerate(names)}
    matrix = np.zeros((len(names), len(joints)))
    for name, made_of in virtual.items():
        v = known(name, parts, 'weights')
        if name in index:
            raise ValueError(f'weights: {name!r} is a joint and cannot be made of others')
        if not isinstance(made_of, Mapping):
            raise TypeError(f'weights of {name!r} must be a dict from joint to weight, got {made_of!r}')
        for joint, weight in made_of.items():
            if isinstance(weight, bool) or not isinstance(weight, Real):
                raise TypeError(f'weights of {name!r}: that of {joint!r} must be a number, got {weight!r}')
            matrix[v, known(joint, index, f'weights of {name!r}', 'joint')] = weight
    for v, name in enumerate(names):
        if name in index:
            matrix[v, index[name]] = 1
        elif name not in virtual:
            raise ValueError(f'part {name!r} is not one of the joints {list(joints)}, and has no weights that make it')
    return matrix


def check_weights(names: Sequence[str], joints: Sequence[str], weights: Any) -> None:
    """Refuse weights that do not make the parts.

    Args:
        names (Sequence[str]): V parts.
        joints (Sequence[str]): K joints.
        weights: What should be a (V, K) array.

    Raises:
        ValueError: It is none of finite numbers, a row does not sum to 1, or a joint is not a part of its own.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(names), len(joints)) or weights.dtype.kind not in 'fiu' or not np.isfinite(weights).all():
        raise ValueError(
            f'weights must be finite numbers of shape (parts, joints) = ({len(names)}, {len(joints)}), got '
            f'{weights.dtype} of shape {weights.shape}'
        )
    for name, row in zip(names, weights, strict=True):
        if abs(row.sum() - 1) > 1e-6:
            raise ValueError(f'weights of {name!r} must sum to 1, got {row.sum():g}')
    for k, joint in enumerate(joints):
        row = weights[known(joint, {name: v for v, name in enumerate(names)}, 'joints')]
        if row[k] != 1 or np.count_nonzero(row) != 1:
            raise ValueError(f'weights of {joint!r} must be 1 for itself and 0 elsewhere: it is a joint')


def known(name: Any, index: Mapping[str, int], where: str, what: str = 'part') -> int:
    """Number of a name.

    Args:
        name: The name.
        index (Mapping[str, int]): Names to numbers.
        where (str): What it is written for, for the error.
        what (str): What it should name.

    Returns:
        int: The number.

    Raises:
        ValueError: It is none of the names.
    """
    if not isinstance(name, str) or name not in index:
        raise ValueError(f'{where}: {name!r} is no {what}, the {what}s are {list(index)}')
    return index[name]
