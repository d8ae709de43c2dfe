"""Predictions and labels that DeepLabCut writes, as csv or as the HDF5 of a pandas table.

Columns have the levels scorer, individuals (with several animals), bodyparts and coords (x, y, likelihood); rows are
frames of a video, or images by path. pandas and PyTables are not needed: the HDF5 is read by h5py. PyTables keeps
column names as pickles, of which only lists, tuples, numbers and strings are built.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from posestructs.evaluation.prediction_files.poses import Poses
from posestructs.utils.safe_pickle import loads_pickle

COORDS = ('x', 'y', 'likelihood')
LEVELS = ('scorer', 'individuals', 'bodyparts', 'coords')
Column = tuple[str, ...]


def read_csv(path: str | Path) -> Poses:
    """Read a csv file of DeepLabCut.

    Args:
        path: The file.

    Returns:
        Poses: See :func:`poses_of_table`.

    Raises:
        ValueError: It has no such header, or a cell is not a number.
    """
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path}: not a csv file: {error}') from error
    head = [row for row in rows[:4] if row[0] in LEVELS]
    levels = [row[0] for row in head]
    if 'bodyparts' not in levels or 'coords' not in levels:
        raise ValueError(f'{path}: the first rows of a csv of DeepLabCut are called {", ".join(LEVELS)}')
    coords = head[levels.index('coords')]
    first = next((i for i, cell in enumerate(coords) if cell in COORDS), len(coords))
    if any(len(row) != len(coords) for row in rows):
        raise ValueError(f'{path}: its rows differ in length; it is cut off or no csv of DeepLabCut')
    columns = list(zip(*(row[first:] for row in head), strict=True))
    body = rows[len(head) :]
    try:
        values = np.array([[float(cell) if cell else np.nan for cell in row[first:]] for row in body])
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    index = [row[0] if first == 1 else '/'.join(row[:first]) for row in body]
    return poses_of_table(path, levels, columns, index, values.reshape(len(index), len(columns)))


def read_hdf(path: str | Path) -> Poses:
    """Read an HDF5 file of DeepLabCut, in pandas' table or fixed format.

    Args:
        path: The file.

    Returns:
        Poses: See :func:`poses_of_table`.

    Raises:
        ValueError: It holds no pandas table of poses.
    """
    with h5py.File(path) as file:
        groups = [file.get(name) for name in file]  # None for a link to nowhere
        groups = [group for group in groups if isinstance(group, h5py.Group) and 'pandas_type' in group.attrs]
        if len(groups) != 1:
            raise ValueError(
                f'{path}: it is neither of SLEAP (tracks, node_names) nor of DeepLabCut (one pandas table)'
            )
        group, kind = groups[0], _text(groups[0].attrs['pandas_type'])
        try:
            if kind == 'frame_table':
                levels, columns, index, values = _read_table(group)
            elif kind == 'frame':
                levels, columns, index, values = _read_fixed(group)
            else:
                raise ValueError(f'its pandas_type is {kind!r}, allowed: frame, frame_table')
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: its pandas table cannot be read: {error}') from error
    return poses_of_table(path, levels, columns, index, values)


def poses_of_table(
    path: str | Path, levels: Sequence[str], columns: Sequence[Column], index: Sequence, values: np.ndarray
) -> Poses:
    """Poses of a table of DeepLabCut.

    Args:
        path: The file, for messages.
        levels: L names of the levels of the columns.
        columns: C columns, L names each.
        index: R frames or paths.
        values: (R, C) numbers.

    Returns:
        Poses: One person for each row and individual of which a joint is predicted.

    Raises:
        ValueError: A level or a coordinate is missing, or a column or a row occurs twice.
    """
    if len(set(columns)) < len(columns):
        raise ValueError(f'{path}: columns occur twice, of several scorers perhaps')
    if len(set(index)) < len(index):
        twice = next(row for i, row in enumerate(index) if row in index[:i])
        raise ValueError(f'{path}: two rows are of {twice}, allowed: one row for each frame or image')
    named = [dict(zip(levels, column, strict=True)) for column in columns]
    if any('bodyparts' not in name or 'coords' not in name for name in named):
        raise ValueError(f'{path}: its columns have the levels {list(levels)}, needed: bodyparts, coords')
    persons = list(dict.fromkeys(name.get('individuals', '') for name in named))
    joints = list(dict.fromkeys(name['bodyparts'] for name in named))
    table = np.full((len(index), len(persons), len(joints), 3), np.nan)
    for c, name in enumerate(named):
        if name['coords'] in COORDS:
            place = persons.index(name.get('individuals', '')), joints.index(name['bodyparts'])
            table[:, place[0], place[1], COORDS.index(name['coords'])] = values[:, c]
    there = np.isfinite(table[..., :2]).all(3)
    table[..., :2][~there] = np.nan
    there = there.any(2)
    rows = np.flatnonzero(there.any(1)) if not there.all() else np.arange(len(index))
    frames = all(_is_frame(index[r]) for r in rows)
    images = [int(float(index[r])) if frames else str(index[r]) for r in range(len(index)) if there[r].any()]
    counts = there.sum(1)[there.any(1)]
    return Poses(
        source=str(path),
        keypoints=table[there][..., :2],
        scores=table[there][..., 2],
        images=[image for image, count in zip(images, counts, strict=True) for _ in range(count)],
        joints=tuple(joints),
        frames=frames,
    )


def _read_table(group: h5py.Group) -> tuple[list[str], list[Column], list, np.ndarray]:
    table = group['table']
    names = loads_pickle(_raw(group.attrs['info']))[1]['names']
    blocks = [name for name in table.dtype.names if name.startswith('values_block_')]
    columns = [tuple(map(str, column)) for name in blocks for column in loads_pickle(_raw(table.attrs[f'{name}_kind']))]
    rows = table[()]
    index = [_text(i) if isinstance(i, bytes) else i for i in rows['index'].tolist()]
    values = np.concatenate([rows[name].reshape(len(rows), -1) for name in blocks], axis=1)
    return list(map(str, names)), columns, index, values.astype(np.float64)


def _read_fixed(group: h5py.Group) -> tuple[list[str], list[Column], list, np.ndarray]:
    count = int(_number(group.attrs['nblocks']))
    levels, columns, parts = [], [], []
    for block in range(count):
        levels, names = _axis(group, f'block{block}_items')
        columns += names
        values = group[f'block{block}_values'][()]
        # PyTables stores a transposed view as it is
        parts.append(values if values.shape[1] == len(names) else values.T)
    _, index = _axis(group, 'axis1')
    return levels, columns, ['/'.join(map(str, i)) if len(i) > 1 else i[0] for i in index], np.hstack(parts)


def _axis(group: h5py.Group, name: str) -> tuple[list[str], list[tuple]]:
    """Names of the levels of an axis, and its entries as tuples."""
    if _text(group.attrs[f'{name}_variety']) == 'regular':
        return [name], [(_text(v) if isinstance(v, bytes) else v,) for v in group[name][()].tolist()]
    levels, labels, names = [], [], []
    for i in range(int(_number(group.attrs[f'{name}_nlevels']))):
        level = group[f'{name}_level{i}']
        levels.append([_text(v) if isinstance(v, bytes) else v for v in level[()].tolist()])
        labels.append(group[f'{name}_label{i}'][()])
        names.append(_text(level.attrs.get('name', '')))
    return names, [tuple(level[k] for level, k in zip(levels, row, strict=True)) for row in zip(*labels, strict=True)]


def _raw(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Any) -> int:
    return int(np.asarray(value).item())


def _is_frame(value: Any) -> bool:
    if isinstance(value, (int, np.integer)):
        return True
    return isinstance(value, str) and value.isdecimal()
