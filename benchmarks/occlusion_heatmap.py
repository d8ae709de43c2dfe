"""Cost of OcclusionHeatmap's 2K maps relative to the K maps of mmpose's codecs.

    python benchmarks/occlusion_heatmap.py --out benchmarks/results/occlusion_heatmap.json

Each codec encodes the same samples: joints anywhere in the input, one in ten unlabelled, each labelled one occluded, so
that all 2K maps are drawn, the most expensive case. OcclusionHeatmap also returns the cells of the joints and the size
of the person. The codecs alternate in one process, so that load on the machine affects all alike; the result is the
median over rounds of the CPU time of a call.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmpose
import numpy as np
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from rich.console import Console
from rich.table import Table

from benchmarks.raw_results import write_results
from posestructs.codecs import OcclusionHeatmap

# value of decode, and mmpose's codec with the same maps
PAIRS = {
    'argmax_shift': lambda **kwargs: MSRAHeatmap(**kwargs),
    'dark': lambda **kwargs: MSRAHeatmap(unbiased=True, **kwargs),
    'udp': lambda **kwargs: UDPHeatmap(**kwargs),
}
SIZES = ((64, 64), (48, 64), (96, 128))


def make_samples(count: int, joints: int, input_size: tuple[int, int], seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Random samples to encode.

    Args:
        count: Number of samples.
        joints: Number K of joints.
        input_size: Width and height in pixels.
        seed: Seed of the random numbers.

    Returns:
        ``keypoints`` (1, K, 2) and ``keypoints_visible`` (1, K) of each sample.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        keypoints = rng.uniform((0, 0), input_size, (1, joints, 2)).astype(np.float32)
        visible = (rng.random((1, joints)) > 0.1).astype(np.float32)
        samples.append(dict(keypoints=keypoints, keypoints_visible=visible))
    return samples


def median_times(calls: dict[str, Callable[[dict], dict]], samples: list[dict], rounds: int) -> dict[str, float]:
    """Median CPU time of each function; they alternate.

    Args:
        calls: Functions by name.
        samples: Arguments of the calls; a round runs all of them.
        rounds: Number of rounds.

    Returns:
        Microseconds of a call by name.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for sample in samples:
                call(sample)
            times[name].append((time.process_time() - start) / len(samples))
    return {name: 1e6 * float(np.median(values)) for name, values in times.items()}


def measure(heatmap_size: tuple[int, int], decode: str, joints: int, sigma: float, num: int, rounds: int) -> dict:
    """One row of the table.

    Args:
        heatmap_size: Width and height in cells; the input is four times as large.
        decode: Key of :data:`PAIRS`.
        joints: Number K of joints.
        sigma: Standard deviation of the Gaussians in cells.
        num: Samples of a round.
        rounds: Number of rounds.

    Returns:
        Sizes, microseconds of both codecs, and their ratio.
    """
    input_size = (4 * heatmap_size[0], 4 * heatmap_size[1])
    shared = dict(input_size=input_size, heatmap_size=heatmap_size, sigma=sigma)
    theirs, ours = PAIRS[decode](**shared), OcclusionHeatmap(decode=decode, **shared)
    occluded = np.ones((1, joints), np.float32)
    extra = dict(keypoints_occluded=occluded, bbox=np.array([[0, 0, 90, 180.0]]), input_scale=np.array(input_size))
    calls = dict(mmpose=lambda sample: theirs.encode(**sample), ours=lambda sample: ours.encode(**sample, **extra))
    samples = make_samples(num, joints, input_size)
    median_times(calls, samples, 1)
    times = median_times(calls, samples, rounds)
    return dict(
        heatmap_size=list(heatmap_size),
        joints=joints,
        sigma=sigma,
        decode=decode,
        mmpose=type(theirs).__name__ + ('(unbiased=True)' if decode == 'dark' else ''),
        mmpose_us=round(times['mmpose'], 1),
        ours_us=round(times['ours'], 1),
        ratio=round(times['ours'] / times['mmpose'], 3),
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--joints', type=int, default=16)
    parser.add_argument('--sigmas', type=float, nargs='+', default=[1.0, 2.0])
    parser.add_argument('--num', type=int, default=200, help='samples a round')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()

    table = Table(
        'maps', 'sigma', 'mmpose', 'K maps', 'OcclusionHeatmap', '2K maps', 'ratio', title=f'K = {args.joints}'
    )
    rows = []
    for size in SIZES:
        for sigma in args.sigmas:
            for decode in PAIRS:
                row = measure(size, decode, args.joints, sigma, args.num, args.rounds)
                rows.append(row)
                cells = (f'{size[0]} x {size[1]}', f'{sigma:g}', row['mmpose'], f'{row["mmpose_us"]:.0f} us')
                table.add_row(*cells, f'decode={decode!r}', f'{row["ours_us"]:.0f} us', f'{row["ratio"]:.2f}')
    Console(width=110).print(table)
    if args.out:
        machine = dict(
            python=platform.python_version(),
            numpy=np.__version__,
            mmpose=mmpose.__version__,
            num=args.num,
            rounds=args.rounds,
        )
        write_results(args.out, dict(machine, unit='microseconds of CPU time per encode', rows=rows))


if __name__ == '__main__':
    main()
