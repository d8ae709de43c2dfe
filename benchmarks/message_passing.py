"""Compare TreeMessagePassing with the obvious code: a module for every part and edge, run one after the other.

    python benchmarks/message_passing.py --out benchmarks/results/message_passing.json

Both have the same weights and the same input, take turns in one process and give the same output, which is checked.
Times are medians; where other work disturbs the machine, the CPU time of the process says more than the clock. The rule
of ``mode='auto'`` on a CPU follows a measurement of both backends for steps of many sizes::

    python benchmarks/message_passing.py --backends --out benchmarks/results/message_passing_backends.json
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
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

from benchmarks.raw_results import write_results
from posestructs.layers.message_kernels import MessageKernels, transform_layers
from posestructs.layers.message_passing import BACKENDS, MODES, Convolution, choose_backend
from posestructs.models.necks import TreeMessagePassing
from posestructs.utils.machine import describe_machine

PLAIN = 'plain loop'
STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class PlainMessagePassing(nn.Module):
    """Straightforward implementation: modules by part and edge, the formulas line by line.

    Args:
        neck: Neck with ``direction='both'`` whose tree and weights it takes; they share memory, not gradients.
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
        """Return what the neck returns."""
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
    """Peak memory of a call beyond what was allocated before, in MB; None where the system does not report it."""
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
    # free memory that the allocator holds would hide what the call takes; C libraries other than glibc hold none
    getattr(ctypes.CDLL(None), 'malloc_trim', int)(0)
    before = _status_mb('VmRSS')
    CLEAR.write_text('5')  # reset the peak
    run()
    return _status_mb('VmHWM') - before


def _status_mb(key: str) -> float:
    lines = dict(line.split(':', 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) * 1024 / 1e6


def step(model: nn.Module, x: Tensor, autocast: AbstractContextManager) -> tuple[float, float, float]:
    """Time a forward and a backward pass.

    Returns:
        tuple[float, float, float]: Seconds of each by the clock, and CPU seconds of both together.
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
    """Measure one size: the plain loop, then the neck in its modes.

    Args:
        neck: Neck of any mode.
        modes: Modes to measure.
        side: Side of the map in cells.
        batch: Number of images.
        half: Autocast to float16 (bfloat16 on a CPU).
        repeats: Number of runs of each, in turns.

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


def backends(device: str, most: float = 3e9) -> Iterator[dict]:
    """Time both backends for one step of messages, forward and backward, beside the choice of the rule.

    Args:
        device: Device to run on.
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
        seconds = {name: step_time(name, inputs, convolutions) for name in BACKENDS}
        yield dict(
            preset=preset,
            channels=channels,
            cells=side,
            batch=batch,
            messages=messages,
            multiply_adds_of_one=work,
            ms={name: round(1e3 * seconds[name], 2) for name in seconds},
            rule=choose_backend('auto', inputs, convolutions),
        )


def step_time(backend: str, inputs: Sequence[Tensor], layers: Sequence[Convolution], repeats: int = 7) -> float:
    """Time the messages of one step.

    Args:
        backend: A key of ``BACKENDS``.
        inputs: Updated features of the senders.
        layers: Layers of the transforms, whose views of the parameters are cut off from these here.
        repeats: Number of timed runs, of which the fastest counts.

    Returns:
        float: Seconds of a forward and a backward pass.
    """
    layers = [
        layer._replace(
            weights=[w.detach().requires_grad_() for w in layer.weights],
            biases=[b.detach().requires_grad_() for b in layer.biases],
        )
        for layer in layers
    ]
    leaves = [*inputs, *(tensor for layer in layers for tensor in (*layer.weights, *layer.biases))]
    seconds = []
    for _ in range(2 + repeats):
        start = _now(inputs[0])
        outputs = BACKENDS[backend](inputs, layers)
        torch.autograd.grad(outputs, leaves, [torch.ones_like(y) for y in outputs])
        seconds.append(_now(inputs[0]) - start)
    return min(seconds[2:])


# -- showing -------------------------------------------------------------------------------------------------------


def show(rows: Sequence[dict], title: str) -> None:
    """Print rows as a table whose columns are their keys."""
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
    parser.add_argument('--tree', default='lsp-26.py', help='file of the tree')
    parser.add_argument('--preset', default='release', choices=('release', 'paper', 'separable'))
    parser.add_argument('--in-channels', type=int, default=1024)
    parser.add_argument('--part-channels', type=int, default=128)
    parser.add_argument('--cells', type=int, nargs='+', default=[42, 56], help='sides of the maps')
    parser.add_argument('--batches', type=int, nargs='+', help='by default 1 on a CPU, 1 and 16 on a GPU')
    parser.add_argument('--modes', nargs='+', choices=MODES, help='by default auto on a CPU, all on a GPU')
    parser.add_argument('--repeats', type=int, help='timed runs of each; by default 3 on a CPU, 20 on a GPU')
    parser.add_argument('--backends', action='store_true', help='measure both backends for steps of many sizes instead')
    parser.add_argument('--out', help='JSON file for the figures')
    return parser.parse_args(args)


def measure(args: argparse.Namespace, device: str) -> list[dict]:
    """Measure all sizes on a device."""
    gpu = device == 'cuda'
    torch.manual_seed(0)
    neck = TreeMessagePassing(args.in_channels, dict(from_file=args.tree), args.part_channels, args.preset).to(device)
    modes = args.modes or (MODES if gpu else ['auto'])
    batches, repeats = args.batches or ([1, 16] if gpu else [1]), args.repeats or (20 if gpu else 3)
    rows = []
    for half, batch, side in itertools.product((False, True) if gpu else (False,), batches, args.cells):
        for row in compare(neck, modes, side, batch, half, repeats):
            rows.append(dict(row, repeats=repeats))
    return rows


def main(args: Sequence[str] | None = None) -> None:
    """Measure, print and optionally write a file."""
    args = parse_args(args)
    devices = args.devices or (['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu'])
    if args.backends:
        rows = [dict(row, device=device) for device in devices for row in backends(device)]
        found = dict(machine=describe_machine(), rows=rows)
        show(rows, 'One step of messages, forward and backward')
    else:
        rows = [row for device in devices for row in measure(args, device)]
        settings = {key: value for key, value in vars(args).items() if key not in ('out', 'backends')}
        found = dict(machine=describe_machine(), settings=settings, rows=rows)
        show(rows, f'{args.tree}, {args.preset}: forward and backward')
    if args.out:
        write_results(args.out, found)


if __name__ == '__main__':
    main()
