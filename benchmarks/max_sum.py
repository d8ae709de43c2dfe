"""Exact inference over LSP's 26 parts with 13 types on maps of 56 x 56: this library, linear-time C++, and NumPy.

    python benchmarks/max_sum.py --out benchmarks/results/max_sum.json

The C++ (``max_sum.cpp``) is compiled by ``g++ -O3`` at the start. NumPy takes the direct approach: for each part and
type it broadcasts over all pairs of cells of a line, along x and along y; on the way back it evaluates the cells of the
parents only. All implementations get the same scores and must agree in score, positions and types.

On the CPU each uses one core. They alternate, and the result is the median CPU time of an image, so that load on the
machine has little effect, except on caches. If there is a GPU, this library also runs there, by wall time.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.raw_results import write_results
from posestructs.layers.max_sum import max_sum, placement_score
from posestructs.structures import build_tree
from posestructs.structures.tree_checks import tree_levels
from posestructs.utils.machine import describe_machine

KINDS = ('noise', 'peaked')
OURS, CPP, NUMPY = 'posestructs', 'C++ -O3, linear time', 'NumPy, map by map'


class Case(NamedTuple):
    """One image: (V, T, H, W) scores, V parents, (V, T, 2) offsets and weights; arrays are float32."""

    scores: np.ndarray
    parents: tuple[int, ...]
    offsets: np.ndarray
    weights: np.ndarray


class Pose(NamedTuple):
    """A score, (V, 2) cells x, y and (V,) types."""

    score: float
    positions: np.ndarray
    types: np.ndarray


def make_case(kind: str, parents: Sequence[int], types: int, size: tuple[int, int], seed: int = 0) -> Case:
    """Generate scores and a deformation.

    Args:
        kind: 'noise': log softmax of noise. 'peaked': for each part and type a few cells stand out and the rest is
            background, as after training.
        parents: V parents, -1 for the root.
        types: Number T of types.
        size: Height and width of the maps.
        seed: Seed of the random numbers.

    Returns:
        The image, with offsets of about 5 cells and the authors' weights of 0.03.
    """
    rng = np.random.default_rng(seed)
    shape = (len(parents), types)
    logits = rng.normal(0, 1, (shape[0] * types + 1, *size))
    if kind == 'peaked':
        y, x = np.indices(size)
        for bump in logits[:-1]:
            cy, cx = rng.uniform(0.2, 0.8, 2) * size
            bump += rng.uniform(0, 12) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2**2))
        logits[-1] += 8
    scores = (logits - np.log(np.exp(logits).sum(0)))[:-1].reshape(*shape, *size)
    offsets = rng.normal(0, 4, (len(parents), 1, 2)) + rng.normal(0, 3, (*shape, 2))
    weights = np.full((*shape, 2), 0.03)
    return Case(scores.astype(np.float32), tuple(parents), offsets.astype(np.float32), weights.astype(np.float32))


def by_ours(case: Case) -> Pose:
    """The best placement by :func:`max_sum`."""
    result = max_sum(*(a if isinstance(a, tuple) else torch.from_numpy(a) for a in (case.scores[None], *case[1:])))
    return Pose(result.score.item(), result.positions[0].numpy(), result.types[0].numpy())


def by_numpy(case: Case) -> Pose:
    """The best placement, one map at a time."""
    scores, parents, offsets, weights = case
    h, w = scores.shape[2:]
    along_x, along_y = (np.arange(n, dtype=np.float32)[:, None] - np.arange(n, dtype=np.float32) for n in (w, h))
    order = [k for level in tree_levels(tuple(parents))[::-1] for k in level]
    message = np.zeros((len(parents), h, w), np.float32)
    for k in order[:-1]:
        best = np.full((h, w), -np.inf, np.float32)
        for u, offset, weight in zip(scores[k], offsets[k], weights[k], strict=True):
            lost_x, lost_y = -weight[0] * (along_x - offset[0]) ** 2, -weight[1] * (along_y - offset[1]) ** 2
            rows = ((u + message[k])[:, :, None] + lost_x).max(1)
            np.maximum(best, (rows[:, None] + lost_y[:, :, None]).max(0), out=best)
        message[parents[k]] += best
    return _numpy_backtrack(case, message, order[::-1])


def _numpy_backtrack(case: Case, message: np.ndarray, order: Sequence[int]) -> Pose:
    scores, parents, offsets, weights = case
    y, x = np.indices(scores.shape[2:])
    positions, types, score = np.zeros((len(parents), 2), int), np.zeros(len(parents), int), 0.0
    for k in order:
        sums = scores[k] + message[k]
        if parents[k] >= 0:
            px, py = positions[parents[k]]
            (ox, oy), (wx, wy) = offsets[k].T[..., None, None], weights[k].T[..., None, None]
            sums = sums - wx * (x - px - ox) ** 2 - wy * (y - py - oy) ** 2
        types[k], *cell = np.unravel_index(sums.argmax(), sums.shape)
        positions[k] = cell[::-1]
        score = float(sums.max()) if parents[k] < 0 else score
    return Pose(score, positions, types)


def compile_cpp(folder: Path) -> Callable[[Case], Pose]:
    """Compile ``max_sum.cpp`` into a folder; returns a function that finds the best placement."""
    library = folder / 'max_sum.so'
    source = Path(__file__).with_suffix('.cpp')
    subprocess.run(['g++', '-O3', '-shared', '-fPIC', str(source), '-o', str(library)], check=True)
    function = ctypes.CDLL(str(library)).max_sum
    function.restype = ctypes.c_float

    def by_cpp(case: Case) -> Pose:
        parts = len(case.parents)
        parents, order = (
            np.array(a, np.int32)
            for a in (case.parents, [k for level in tree_levels(tuple(case.parents))[::-1] for k in level])
        )
        positions, types = np.empty((parts, 2), np.int32), np.empty(parts, np.int32)
        arrays = (parents, order, case.offsets, case.weights, positions, types)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (case.scores, *arrays)]
        score = function(pointers[0], parts, *case.scores.shape[1:], *pointers[1:])
        return Pose(score, positions, types)

    return by_cpp


def check_agreement(case: Case, poses: dict[str, Pose]) -> None:
    """Compare the poses of the implementations.

    Args:
        case: Scores and deformation.
        poses: Poses by implementation.

    Raises:
        RuntimeError: Scores differ by more than rounding in float32, or a placement is not the best one.
    """
    exact = [torch.from_numpy(a).double() for a in (case.scores[None], case.offsets, case.weights)]
    first = next(iter(poses.values()))
    for name, pose in poses.items():
        placement = [torch.from_numpy(np.asarray(a, np.int64))[None] for a in (pose.positions, pose.types)]
        true_score = placement_score(exact[0], case.parents, *exact[1:], *placement).item()
        same = np.array_equal(pose.positions, first.positions) and np.array_equal(pose.types, first.types)
        # another placement of the same score is correct as well
        if not np.allclose([pose.score, true_score], first.score, rtol=2e-6, atol=1e-5):
            raise RuntimeError(f'{name}: score {pose.score}, of its placement {true_score}, expected: {first.score}')
        if not same:
            sys.stderr.write(f'{name}: another placement of the same score, {true_score}\n')


def median_times(backends: dict[str, Callable[[Case], Pose]], case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """CPU time of each implementation; they alternate.

    Args:
        backends: Implementations by name.
        case: The image.
        rounds: Number of rounds.

    Returns:
        ``median`` and ``least`` milliseconds by name.
    """
    check_agreement(case, {name: backend(case) for name, backend in backends.items()})
    times: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(rounds):
        for name, backend in backends.items():
            start = time.process_time()
            backend(case)
            times[name].append(1e3 * (time.process_time() - start))
    return {name: dict(median=float(np.median(t)), least=min(t)) for name, t in times.items()}


def gpu_time(case: Case, batch: int, rounds: int) -> dict[str, float]:
    """Time of this library on a GPU.

    Args:
        case: The image, which is repeated to a batch.
        batch: Batch size.
        rounds: Number of rounds.

    Returns:
        ``median`` and ``least`` milliseconds of an image, and ``peak_mib`` of memory.
    """
    scores = torch.from_numpy(case.scores).cuda().repeat(batch, 1, 1, 1, 1)
    tables = [torch.from_numpy(a).cuda() for a in (case.offsets, case.weights)]
    times = []
    torch.cuda.reset_peak_memory_stats()
    for _ in range(rounds + 2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        result = max_sum(scores, case.parents, *tables)
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start) / batch)
    last = Pose(*(value[-1].cpu().numpy() for value in result[:3]))
    check_agreement(case, {NUMPY: by_numpy(case), f'{OURS}, GPU': last})
    peak = torch.cuda.max_memory_allocated() / 2**20
    return dict(median=float(np.median(times[2:])), least=min(times[2:]), peak_mib=round(peak))


def measure(case: Case, rounds: int, batches: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of the table for one image.

    Args:
        case: The image.
        rounds: Number of rounds.
        batches: Batch sizes on a GPU, if there is one.

    Returns:
        Implementation, device, batch, milliseconds of an image, and ratios of the medians.
    """
    with tempfile.TemporaryDirectory() as folder:
        backends = {OURS: by_ours, NUMPY: by_numpy}
        if shutil.which('g++'):
            backends[CPP] = compile_cpp(Path(folder))
        found = [(name, 'CPU', 1, times) for name, times in median_times(backends, case, rounds).items()]
    if torch.cuda.is_available():
        found += [(OURS, 'GPU', batch, gpu_time(case, batch, rounds)) for batch in batches]
    medians = {name: times['median'] for name, device, _, times in found if device == 'CPU'}
    rows = []
    for name, device, batch, times in found:
        row = dict(way=name, device=device, batch=batch, **{key: round(value, 3) for key, value in times.items()})
        row['times_cpp'] = round(times['median'] / medians[CPP], 3) if CPP in medians else None
        row['faster_than_numpy'] = round(medians[NUMPY] / times['median'], 2)
        rows.append(row)
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--tree', default='lsp-26.py', help='a file of configs/_base_/trees, or a path')
    parser.add_argument('--types', type=int, default=13)
    parser.add_argument('--size', type=int, nargs=2, default=[56, 56], metavar=('H', 'W'), help='map size in cells')
    parser.add_argument('--rounds', type=int, default=21)
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 32], help='batch sizes on a GPU')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    torch.set_num_threads(1)
    parents = build_tree(dict(from_file=args.tree)).parents

    rows = []
    for kind in KINDS:
        case = make_case(kind, parents, args.types, tuple(args.size))
        rows += [dict(scores=kind, **row) for row in measure(case, args.rounds, args.batches)]
    title = f'{len(parents)} parts x {args.types} types, {args.size[0]} x {args.size[1]} cells, back-tracking included'
    columns = ('scores', 'way', 'device', 'batch', 'ms an image', 'least', 'times the C++', 'faster than NumPy')
    table = Table(*columns, title=title)
    for row in rows:
        named = (
            row[key]
            for key in ('scores', 'way', 'device', 'batch', 'median', 'least', 'times_cpp', 'faster_than_numpy')
        )
        table.add_row(*(f'{value:.2f}' if isinstance(value, float) else str(value or '') for value in named))
    Console(width=110).print(table)
    if args.out:
        unit = 'milliseconds an image: CPU time of one core, wall time on a GPU; medians of taking turns'
        sizes = dict(tree=args.tree, types=args.types, size=args.size, rounds=args.rounds)
        write_results(args.out, dict(**describe_machine(), unit=unit, **sizes, rows=rows))


if __name__ == '__main__':
    main()
