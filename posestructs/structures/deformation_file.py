"""Read and write files of mixture types, in JSON: readable, and free of the code that a pickle could hold."""

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
    """Write mixture types together with a description of their tree.

    Args:
        path: Path of the file; its folder is created where absent.
        tree: Tree of the parts.
        arrays: Arrays by the names in :data:`ARRAYS`.
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
    """Nested lists of numbers with 6 digits, enough for crop sides of a few thousand pixels."""
    if array.ndim:
        return [_rounded(part) for part in array]
    return int(array) if array.dtype.kind == 'i' else float(f'{float(array):.6g}')


def read_file(path: str | Path) -> dict[str, Any]:
    """Read a file that :func:`write_file` wrote.

    Args:
        path: Path of the file, or name of a shipped one.

    Returns:
        dict: Its content, with all keys.

    Raises:
        FileNotFoundError: The file does not exist.
        TypeError: ``path`` is not a path.
        ValueError: It is not such a file.
    """
    hint = '; tools/analysis/fit_deformation.py makes such files'
    return _read(find_file('deformation', path, 'deformations', hint))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'deformation={str(path)!r} is not a JSON file: {error}') from error
    if not isinstance(content, dict) or content.get('format') != _FORMAT:
        found = content.get('format') if isinstance(content, dict) else type(content).__name__
        raise ValueError(f'deformation={str(path)!r}: format={found!r}, allowed: {_FORMAT!r}')
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise ValueError(f'deformation={str(path)!r}: keys {missing} are missing')
    return content


def tree_difference(content: dict[str, Any], tree: KinematicTree) -> str:
    """Describe the first difference between the tree of a file and another tree.

    Args:
        content: Content of the file.
        tree: The other tree.

    Returns:
        str: Description for an error; '' for equal trees.
    """
    if content['tree'] == tree.fingerprint:
        return ''
    theirs, ours = list(content['parts']), list(tree.names)
    if len(theirs) != len(ours):
        return f'it has {len(theirs)} parts, this tree has {len(ours)}'
    for v, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        if a != b:
            return f'its part {v} is {a!r}, here it is {b!r}'
    for name, parent in content['parts'].items():
        ours_parent = tree.parents[tree.names.index(name)]
        here = None if ours_parent < 0 else tree.names[ours_parent]
        if parent != here:
            return f'its {name!r} has the parent {parent!r}, here it has {here!r}'
    if list(content['joints']) != list(tree.joints):
        return f'its joints are {list(content["joints"])}, here they are {list(tree.joints)}'
    return 'its mirror images or the weights of its virtual parts differ'
