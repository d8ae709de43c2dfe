"""Tracks that SLEAP exports as an analysis HDF5 file."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from posestructs.evaluation.prediction_files.poses import Poses

AXES = ('track', 'xy', 'node', 'frame')


def is_analysis(path: str | Path) -> bool:
    """Distinguish SLEAP's analysis files from other HDF5 files.

    Args:
        path: A file.

    Returns:
        bool: Whether it holds tracks and names of nodes, as arrays of its own or reachable by its links.

    Raises:
        ValueError: It is not an HDF5 file.
    """
    try:
        with h5py.File(path) as file:
            return all(isinstance(file.get(name), h5py.Dataset) for name in ('tracks', 'node_names'))
    except OSError as error:
        raise ValueError(f'{path}: not an HDF5 file: {error}') from error


def read_analysis(path: str | Path) -> Poses:
    """Read an analysis file.

    The axes of ``tracks`` are those of its attribute ``dims`` (sleap-io), else (tracks, 2, nodes, frames), as SLEAP
    writes them, or the reverse; the number of names decides. A person without a detected node is omitted.
    Frames are counted from 0, as in a file that holds all frames of a video.

    Args:
        path: An HDF5 file.

    Returns:
        Poses: Joints are named by their nodes, images are numbers of frames.

    Raises:
        ValueError: The shapes do not fit.
    """
    with h5py.File(path) as file:
        joints = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in file['node_names'][()])
        axes = _axes(file['tracks'], len(joints), path)
        tracks = _ordered(file['tracks'], axes)
        scores = _ordered(file['point_scores'], [a for a in axes if a != 'xy']) if 'point_scores' in file else None
        person = None
        if 'instance_scores' in file:
            person = _ordered(file['instance_scores'], [a for a in axes if a in ('frame', 'track')])
    for name, array, shape in (
        ('point_scores', scores, tracks.shape[:3]),
        ('instance_scores', person, tracks.shape[:2]),
    ):
        if array is not None and array.shape != shape:
            raise ValueError(f'{path}: {name} do not fit tracks {tracks.shape}')
    there = np.isfinite(tracks).all(3).any(2)
    frames = np.broadcast_to(np.arange(len(tracks))[:, None], there.shape)
    person = None if person is None or not np.isfinite(person[there]).any() else person[there]
    return Poses(
        source=str(path),
        keypoints=tracks[there].astype(np.float64),
        scores=np.full((there.sum(), len(joints)), np.nan) if scores is None else scores[there].astype(np.float64),
        images=frames[there].tolist(),
        person_scores=person,
        joints=joints,
        frames=True,
    )


def _axes(tracks: h5py.Dataset, number: int, path: str | Path) -> list[str]:
    """Names of the axes of ``tracks``."""
    if 'dims' in tracks.attrs:
        axes = _dims(tracks)
    else:
        axes = list(AXES) if tracks.shape[1:3] == (2, number) else list(AXES)[::-1]
    shape = dict(zip(axes, tracks.shape, strict=False))
    if len(axes) != tracks.ndim or set(axes) != set(AXES) or shape['xy'] != 2 or shape['node'] != number:
        raise ValueError(
            f'{path}: tracks.shape={tracks.shape}, allowed: (tracks, 2, {number} nodes, frames) or the reverse'
        )
    return axes


def _dims(array: h5py.Dataset) -> list[str]:
    """Names of the axes that sleap-io wrote beside an array."""
    try:
        axes = json.loads(array.attrs['dims'])
    except (TypeError, ValueError) as error:
        raise ValueError(f'{array.file.filename}: {array.name}.dims is not a JSON list of axes: {error}') from error
    if not isinstance(axes, list) or not set(map(str, axes)) <= set(AXES):
        raise ValueError(f'{array.file.filename}: {array.name}.dims={axes!r}, allowed: {", ".join(AXES)}')
    return axes


def _ordered(array: h5py.Dataset, axes: list[str]) -> np.ndarray:
    """An array with the axes frame, track, node, xy, as far as it has them."""
    if array.dtype.kind not in 'fiu':
        raise ValueError(f'{array.file.filename}: {array.name}.dtype={array.dtype}, allowed: real numbers')
    order = [axis for axis in ('frame', 'track', 'node', 'xy') if axis in axes]
    axes = _dims(array) if 'dims' in array.attrs else axes
    if array.ndim != len(axes):
        raise ValueError(f'{array.file.filename}: {array.name}.shape={array.shape}, allowed: the axes {axes}')
    return np.transpose(array[()], [axes.index(axis) for axis in order])
