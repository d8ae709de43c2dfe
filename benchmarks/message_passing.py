"""TreeMessagePassing against the obvious code: a module for every part and edge, run one after the other.

    python benchmarks/message_passing.py --out benchmarks/results/message_passing.json

Both have the same weights and the same input, take turns in one process and give the same output, which is checked.
Times are medians; where other work disturbs the machine, the CPU time of the process says more than the clock. What
``mode='auto'`` goes by on a CPU, all ways for steps of many sizes, is measured by::

    python benchmarks/message_passing.py --ways --out benchmarks/results/message_passing_ways.json

On a GPU float32 convolutions use TF32, as torch does by default; give ``--tf32`` for matrix products to do so too.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from posestructs.layers.message_kernels import MessageKernels, transform_layers
from posestructs.layers.parallel_convs import WAYS
from posestructs.layers.way_of_convs import MODES, try_ways, way_by_rule
from posestructs.models.necks import TreeMessagePassing
from posestructs.utils.files import atomic_write
from posestructs.utils.machine import describe_machine

PLAIN = 'plain loop'
STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class PlainMessagePassing(nn.Module):
    """What one writes first: modules by part and edge, the formulas line by line.

    Args:
        neck (TreeMessagePassing): Whose tree and weights it takes; they share memory, not gradients. Of
            ``direction='both'``.
    """

    def __init__(self, neck: TreeMessagePassing) -> None:
        super().__init__()
        tree, channels = neck.tree, neck.part_channels
        self.parents, self.children, self.levels = tree.parents, tree.children, tree.levels
        self.rectify = neck.rectify
        fc7 = [_conv(*pair) for pair in zip(*(p.detach().split(channels) for p in neck.fc7.parameters()), strict=True)]
        self.fc7_up, self.fc7_down = nn.ModuleList(fc7[0::2]), nn.ModuleList(fc7[1::2])
        edges = [child for child, _ in tree.edges]
        self.up, self.down = (
            nn.ModuleDict({str(child): _transform(kernels, e) for e, child in enumerate(edges)})
            for kernels in (neck.up, neck.down)
        )

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor]:
        """As the neck's."""
        x = feats[-1]
        up, down = [fc7(x) for fc7 in self.fc7_up], [fc7(x) for fc7 in self.fc7_down]
        if self.rectify == 'pre':
            up, down = [a.relu() for a in up], [b.relu() for b in down]
        for level in reversed(self.levels):
            for k in level:
                for c in self.children[k]:
                    up[k] = up[k] + self.up[str(c)](up[c])
                up[k] = up[k].relu()
        for level in self.levels:
            for k in level:
                if self.parents[k] >= 0:
                    down[k] = down[k] + self.down[str(k)](down[self.parents[k]])
                down[k] = down[k].relu()
        return (torch.cat([features for pair in zip(up, down, strict=True) for features in pair], 1),)


def _conv(weight: Tensor, bias: Tensor, dilation: int = 1) -> nn.Conv2d:
    outputs, inputs, kh, kw = weight.shape
    padding = (dilation * (kh // 2), dilation * (kw // 2))
    with torch.device('meta'):
        conv = nn.Conv2d(inputs, outputs, (kh, kw), padding=padding, dilation=dilation)
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv


def _transform(kernels: MessageKernels, edge: int) -> nn.Sequential:
    modules = []
    for i, layer in enumerate(kernels.layers):
        modules += [_conv(kernels.kernels[i].detach()[edge], kernels.biases[i].detach()[edge], layer.dilation)]
        modules += [kernels.activations[i]] if layer.act_cfg else []
    return nn.Sequential(*modules)


# -- measuring -----------------------------------------------------------------------------------------------------


def peak_memory(run: Callable[[], object], device: str) -> float | None:
    """Most memory that a call held beyond what was there before, in MB; None where the system does not tell."""
    if device == 'cuda':
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    if not CLEAR.exists():
        run()
        return None
    # memory that is free but not given back would not be seen to be taken; other C libraries than glibc keep none
    getattr(ctypes.CDLL(None), 'malloc_trim', int)(0)
    before = _status_mb('VmRSS')
    CLEAR.write_text('5')  # the peak starts anew
    run()
    return _status_mb('VmHWM') - before


def _status_mb(key: str) -> float:
    lines = dict(line.split(':', 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) * 1024 / 1e6


def step(model: nn.Module, x: Tensor, autocast: AbstractContextManager) -> tuple[float, float, float]:
    """A forward and a backward pass.

    Returns:
        tuple[float, float, float]: Seconds of both by the clock, and CPU seconds of their sum.
    """
    x = x.detach().requires_grad_()
    cpu, start = time.process_time(), _now(x)
    with autocast:
        (y,) = model((x,))
    middle = _now(x)
    y.backward(torch.ones_like(y))
    end = _now(x)
    cpu = time.process_time() - cpu
    model.zero_grad(set_to_none=True)
    return middle - start, end - middle, cpu


def _now(x: Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def compare(
    neck: TreeMessagePassing, modes: Sequence[str], side: int, batch: int, half: bool, repeats: int
) -> Iterator[dict]:
    """Rows of the table for one size: the plain loop, then the neck in its modes.

    Args:
        neck: Of any mode.
        modes: To measure.
        side: Of the map, in cells.
        batch: Images.
        half: Autocast to float16 (bfloat16 on a CPU).
        repeats: Runs of each, by turns.

    Yields:
        dict: A row; ``ratio`` is the step's time over the plain loop's, by the clock and by CPU time.
    """
    device = neck.fc7.weight.device.type
    autocast = torch.autocast(device) if half else nullcontext()
    x = torch.rand(batch, neck.in_channels, side, side, device=device)
    plain = PlainMessagePassing(neck)
    wanted = _values(plain, x, autocast)

    def of(name: str) -> nn.Module:
        if name == PLAIN:
            return plain
        neck.mode = name
        return neck

    memory, seconds, error = {}, {name: [] for name in (PLAIN, *modes)}, {}
    for name in seconds:
        error[name] = float((_values(of(name), x, autocast) - wanted).abs().max() / wanted.abs().max())
        step(of(name), x, autocast)
        memory[name] = peak_memory(lambda name=name: step(of(name), x, autocast), device)
    for turn in range(repeats):
        for name in sorted(seconds, key=list(seconds).index, reverse=turn % 2 == 1):
            seconds[name].append(step(of(name), x, autocast))
    medians = {
        name: [statistics.median(column) for column in zip(*((f, b, f + b, cpu) for f, b, cpu in runs), strict=True)]
        for name, runs in seconds.items()
    }
    for name, (forward, backward, both, cpu) in medians.items():
        yield dict(
            device=device,
            cells=side,
            batch=batch,
            dtype=('float16' if device == 'cuda' else 'bfloat16') if half else 'float32',
            name=name if name == PLAIN else f'ours, mode={name!r}',
            forward_ms=round(1e3 * forward, 2),
            backward_ms=round(1e3 * backward, 2),
            step_ms=round(1e3 * both, 2),
            ratio=round(both / medians[PLAIN][2], 3),
            cpu_ratio=round(cpu / medians[PLAIN][3], 3) if device == 'cpu' else None,
            peak_mb=None if memory[name] is None else round(memory[name]),
            error=float(f'{error[name]:.1e}'),
        )


@torch.no_grad()
def _values(model: nn.Module, x: Tensor, autocast: AbstractContextManager) -> Tensor:
    with autocast:
        return model((x,))[0].float()


def ways(device: str, most: float = 3e9) -> Iterator[dict]:
    """Milliseconds of all ways for one step of messages, forward and backward, and what the rule says.

    Args:
        device: Where.
        most: Multiply-adds from which on a size is left out.

    Yields:
        dict: A row.
    """
    sizes = itertools.product(('release', 'separable'), (16, 32, 64, 128), (16, 28, 56), (1, 16), (2, 8))
    for preset, channels, side, batch, messages in sizes:
        layers, _ = transform_layers(preset, None, channels)
        kernels = MessageKernels(messages, channels, layers).to(device)
        convolutions = kernels.convolutions([(kernels.by_edge(), e) for e in range(messages)])
        work = sum(layer.weights[0].numel() for layer in convolutions) * side**2 * batch
        if work * messages > most:
            continue
        inputs = [torch.rand(batch, channels, side, side, device=device, requires_grad=True) for _ in range(messages)]
        seconds = try_ways(inputs, convolutions, repeats=7)
        yield dict(
            preset=preset,
            channels=channels,
            cells=side,
            batch=batch,
            messages=messages,
            multiply_adds_of_one=work,
            ms={name: round(1e3 * seconds[name], 2) for name in seconds},
            rule=way_by_rule(inputs, convolutions),
        )


# -- showing -------------------------------------------------------------------------------------------------------


def show(rows: Sequence[dict], title: str) -> None:
    """Print rows as a table; their keys are its columns."""
    table = Table(*(key.replace('_', ' ') for key in rows[0]), title=title)
    for row in rows:
        cells = (
            ', '.join(f'{k} {v}' for k, v in value.items()) if isinstance(value, dict) else value
            for value in row.values()
        )
        table.add_row(*('' if cell is None else str(cell) for cell in cells))
    Console(width=160).print(table)


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--devices', nargs='+', help='cpu, cuda; by default both where there is a GPU')
    parser.add_argument('--tree', default='lsp-26.py', help="a tree's file")
    parser.add_argument('--preset', default='release', choices=('release', 'paper', 'separable'))
    parser.add_argument('--in-channels', type=int, default=1024)
    parser.add_argument('--part-channels', type=int, default=128)
    parser.add_argument('--cells', type=int, nargs='+', default=[42, 56], help='sides of the maps')
    parser.add_argument('--batches', type=int, nargs='+', help='by default 1 on a CPU, 1 and 16 on a GPU')
    parser.add_argument('--modes', nargs='+', choices=MODES, help='by default auto on a CPU, auto and all on a GPU')
    parser.add_argument('--repeats', type=int, help='timed runs of each; by default 3 on a CPU, 20 on a GPU')
    parser.add_argument('--tf32', action='store_true', help='TF32 for matrix products on a GPU as well')
    parser.add_argument('--ways', action='store_true', help="measure what mode='auto' goes by instead")
    parser.add_argument('--out', help='a JSON file for the figures')
    return parser.parse_args(args)


def measure(args: argparse.Namespace, device: str) -> list[dict]:
    """All rows of a device."""
    gpu = device == 'cuda'
    torch.manual_seed(0)
    neck = TreeMessagePassing(args.in_channels, dict(from_file=args.tree), args.part_channels, args.preset).to(device)
    modes = args.modes or (['auto', *WAYS] if gpu else ['auto'])
    batches, repeats = args.batches or ([1, 16] if gpu else [1]), args.repeats or (20 if gpu else 3)
    rows = []
    for half, batch, side in itertools.product((False, True) if gpu else (False,), batches, args.cells):
        for row in compare(neck, modes, side, batch, half, repeats):
            rows.append(dict(row, repeats=repeats))
    return rows


def main(args: Sequence[str] | None = None) -> None:
    """Measure, print and, where asked to, write."""
    args = parse_args(args)
    torch.set_float32_matmul_precision('high' if args.tf32 else 'highest')
    devices = args.devices or (['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu'])
    if args.ways:
        rows = [dict(row, device=device) for device in devices for row in ways(device)]
        found = dict(machine=describe_machine(), rows=rows)
        show(rows, 'One step of messages, forward and backward')
    else:
        rows = [row for device in devices for row in measure(args, device)]
        settings = {key: value for key, value in vars(args).items() if key not in ('out', 'ways')}
        found = dict(machine=describe_machine(), settings=settings, rows=rows)
        show(rows, f'{args.tree}, {args.preset}: forward and backward')
    if args.out:
        atomic_write(args.out, (json.dumps(found, indent=2) + '\n').encode())


if __name__ == '__main__':
    main()
