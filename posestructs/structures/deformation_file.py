"""Files of mixture types: JSON, which is readable, and free of the code that a pickle could hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.structures.kinematic_tree import KinematicTree
from posestructs.structures.shipped_files import find_file
from posestructs.utils.files import atomic_write

ARRAYS = ('offsets', 'variances', 'mirror_types', 'frequencies')
_FORMAT = 'posestructs-deformation-1'
_KEYS = ('tree', 'parts', 'joints', 'aspect_ratio', 'source', *ARRAYS)


def write_file(path: str | Path, tree: KinematicTree, arrays: Mapping[str, np.ndarray], **others: Any) -> None:
    """Write mixture types and what they are of.

    Args:
        path (str | Path): The file; its folder is made where absent.
        tree (KinematicTree): The tree.
        arrays (Mapping[str, np.ndarray]): Those of :data:`ARRAYS`.
        **others: ``source`` and ``aspect_ratio``.
    """
    parents = (None if p < 0 else tree.names[p] for p in tree.parents)
    content = dict(
        format=_FORMAT,
        unit='longer side of the crop',
        **others,
        tree=tree.fingerprint,
        parts=dict(zip(tree.names, parents, strict=True)),
        joints=tree.joints,
        **{key: _rounded(arrays[key]) for key in ARRAYS},
    )
    lines = ',\n'.join(f'"{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in content.items())
    atomic_write(path, f'{{\n{lines}\n}}\n'.encode())


def _rounded(array: np.ndarray) -> Any:
    """Nested lists with 6 digits: a crop side is at most a few thousand pixels."""
    if array.ndim:
        return [_rounded(part) for part in array]
    return int(array) if array.dtype.kind == 'i' else float(f'{float(array):.6g}')


def read_file(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_file` wrote.

    Args:
        path (str | Path): The file, or the name of a shipped one.

    Returns:
        dict: Its content; all keys are there.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: ``path`` is no path.
        ValueError: It is no such file.
    """
    hint = '; tools/analysis/fit_deformation.py makes such files'
    return _read(find_file('deformation', path, 'deformations', hint))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f'deformation={str(path)!r} is no JSON file: {error}') from error
    if not isinstance(content, dict) or content.get('format') != _FORMAT:
        found = content.get('format') if isinstance(content, dict) else type(content).__name__
        raise ValueError(f'deformation={str(path)!r} must have the format {_FORMAT!r}, got {found!r}')
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise ValueError(f'deformation={str(path)!r}: keys {missing} are missing')
    return content


def tree_difference(content: dict[str, Any], tree: KinematicTree) -> str:
    """What distinguishes the tree of a file.

    Args:
        content (dict): Of the file.
        tree (KinematicTree): Another tree.

    Returns:
        str: For an error; '' if nothing does.
    """
    if content['tree'] == tree.fingerprint:
        return ''
    theirs, ours = list(content['parts']), list(tree.names)
    if len(theirs) != len(ours):
        return f'that has {len(theirs)} parts, this has {len(ours)}'
    for v, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        if a != b:
            return f'part {v} is {a!r} there, {b!r} here'
    for name, parent in content['parts'].items():
        ours_parent = tree.parents[tree.names.index(name)]
        here = None if ours_parent < 0 else tree.names[ours_parent]
        if parent != here:
            return f'{name!r} hangs on {parent!r} there, on {here!r} here'
    if list(content['joints']) != list(tree.joints):
        return f'its joints are {list(content["joints"])}, here they are {list(tree.joints)}'
    return 'its mirror images or the weights of its virtual parts are others'
