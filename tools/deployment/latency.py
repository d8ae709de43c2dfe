"""Compare the speed of torch, torch.compile and onnxruntime.

Run it with ``python tools/deployment/latency.py CONFIG [CHECKPOINT] [--out FILE.json]``.

The network (without decoding) runs in torch, compiled by torch.compile, and in onnxruntime. These backends take turns
on the same batch in one run, so that other load on the machine affects all of them; the first rounds, in which torch
compiles, do not count. All must give the same maps. CPU time is summed over threads: with one thread it is the time on
an idle machine.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.deployment import MapsNetwork, load_generator
from posestructs.deployment.metadata import describe_network
from posestructs.deployment.onnx_export import INPUT, as_arrays, export_network, open_session
from posestructs.utils.cli import OptionAction, check_checkpoint, load_config, merge_options, positive, require_keys
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors

WARM_UP = 2
SAME = 1e-3
"""Share of the largest value (or of 1) by which two backends may differ."""

Backend = Callable[[torch.Tensor], np.ndarray]


class Times(NamedTuple):
    """Seconds per batch for each round: wall clock, and CPU time of all threads."""

    wall: list[float]
    cpu: list[float]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare the speed of torch, torch.compile and onnxruntime.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('checkpoint', nargs='?', help='default: random weights, which take the same time')
    parser.add_argument('--batches', type=positive, nargs='+', default=[1, 8], metavar='N')
    parser.add_argument('--rounds', type=positive, default=20, help='timed rounds per backend')
    parser.add_argument('--threads', type=positive, default=1)
    parser.add_argument('--no-compile', action='store_true', help='leave out torch.compile, which needs a C++ compiler')
    parser.add_argument('--out', type=Path, help='json file for the figures')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def make_backends(network: MapsNetwork, data: bytes, threads: int, compiled: bool) -> dict[str, Backend]:
    """Functions that run a network, by name."""
    session = open_session(data, threads)
    backends: dict[str, Backend] = {'torch': lambda images: as_arrays(network(images))[0]}
    if compiled:
        quick = torch.compile(network)
        backends['torch.compile'] = lambda images: as_arrays(quick(images))[0]
    backends['onnxruntime'] = lambda images: session.run(None, {INPUT: images.numpy()})[0]
    return backends


@torch.no_grad()
def measure(backends: dict[str, Backend], images: torch.Tensor, rounds: int) -> dict[str, Times]:
    """Run all backends in turns.

    Args:
        backends: Functions by name.
        images: (N, 3, h, w).
        rounds: Number of timed rounds.

    Returns:
        Times by name.

    Raises:
        RuntimeError: They do not give the same maps.
    """
    times = {name: Times([], []) for name in backends}
    for number in range(WARM_UP + rounds):
        maps = {}
        for name, run in backends.items():
            wall, cpu = time.perf_counter(), time.process_time()
            maps[name] = run(images)
            if number >= WARM_UP:
                times[name].wall.append(time.perf_counter() - wall)
                times[name].cpu.append(time.process_time() - cpu)
        if number == 0:
            _check_same(maps)
    return times


def _check_same(maps: dict[str, np.ndarray]) -> None:
    (first, expected), *others = maps.items()
    for name, found in others:
        difference = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not difference <= SAME:
            raise RuntimeError(f'{name} and {first} differ by {difference:.2g} of the largest value')


def make_rows(batch: int, times: dict[str, Times]) -> list[dict[str, Any]]:
    """Rows of the table: milliseconds per image, and the speed relative to torch by the wall clock."""
    first = float(np.median(next(iter(times.values())).wall))
    return [
        dict(
            way=name,
            batch=batch,
            median=round(1e3 * float(np.median(taken.wall)) / batch, 3),
            least=round(1e3 * min(taken.wall) / batch, 3),
            cpu=round(1e3 * float(np.median(taken.cpu)) / batch, 3),
            times_as_fast=round(first / float(np.median(taken.wall)), 2),
        )
        for name, taken in times.items()
    ]


def sizes(network: MapsNetwork, data: bytes) -> dict[str, float]:
    """Parameters in millions; megabytes of the weights as a torch file, and of the ONNX file."""
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return dict(
        million_parameters=round(sum(p.numel() for p in network.parameters()) / 1e6, 3),
        torch_mb=round(len(buffer.getvalue()) / 1e6, 2),
        onnx_mb=round(len(data) / 1e6, 2),
    )


def show(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print the table."""
    table = Table('batch', 'backend', 'ms per image', 'least', 'CPU ms', 'times as fast', title=title)
    for row in rows:
        figures = (f'{row[key]:.2f}' for key in ('median', 'least', 'cpu', 'times_as_fast'))
        table.add_row(str(row['batch']), row['way'], *figures)
    Console(width=100).print(table)


@report_usage_errors
def main() -> None:
    """Measure."""
    args = parse_args()
    check_outputs(args)
    if args.checkpoint is not None:
        check_checkpoint(args.checkpoint, 'checkpoint')
    if not args.no_compile and not any(map(shutil.which, ('g++', 'clang++', 'c++'))):
        raise UsageError('torch.compile needs a C++ compiler, and there is none: give --no-compile')
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    require_keys(cfg, 'model', 'test_dataloader')
    torch.set_num_threads(args.threads)
    try:
        model = load_generator(cfg, args.checkpoint)
        description = describe_network(model, cfg)
        network, (width, height) = MapsNetwork(model).eval(), description['input']['size']
        data = export_network(network, (width, height), description)
    except (TypeError, ValueError) as error:
        raise UsageError(f'{args.config}: {error}') from error
    rows = []
    for batch in args.batches:
        # compiled for each batch size: code for any size would be slower
        torch.compiler.reset()
        backends = make_backends(network, data, args.threads, not args.no_compile)
        images = torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))
        rows += make_rows(batch, measure(backends, images, args.rounds))
    file_sizes = sizes(network, data)
    title = f'{Path(args.config).stem}, {width}x{height}' + ('' if args.checkpoint else ', random weights')
    show(rows, f'{title}: ' + ', '.join(f'{value} {key}' for key, value in file_sizes.items()))
    if args.out:
        what = dict(
            unit='milliseconds per image: medians and least by the wall clock, and CPU time of all threads; in turns',
            onnxruntime=metadata.version('onnxruntime'),
            config=Path(args.config).stem,
            input=[width, height],
            rounds=args.rounds,
            **file_sizes,
        )
        atomic_write(args.out, (json.dumps(dict(**describe_machine(), **what, rows=rows), indent=2) + '\n').encode())


if __name__ == '__main__':
    main()
