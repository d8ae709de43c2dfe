"""Speed of a config in a process of its own: ``python -m benchmarks.speed.measure '{"config": ..., ...}'``."""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MARK = 'measured: '
WARM_UP = 3
"""Batches before the clock starts."""
LEAST = 8
"""Minimum number of measured batches."""


def measure_model(
    config: str, options: Mapping[str, Any], workers: Sequence[int], seconds: float, device: str
) -> dict[str, Any]:
    """Run :func:`measure` in another process; the arguments are the same.

    Raises:
        RuntimeError: The process failed.
    """
    task = json.dumps(dict(config=config, options=options, workers=list(workers), seconds=seconds, device=device))
    command = [sys.executable, '-m', 'benchmarks.speed.measure', task]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if done.returncode or line is None:
        raise RuntimeError(f'{config} could not be measured:\n{done.stdout}{done.stderr}')
    return json.loads(line[len(MARK) :])


def measure(config: str, options: Mapping[str, Any], workers: Sequence[int], seconds: float, device: str) -> dict:
    """Measure a config in this process.

    Args:
        config: Config file.
        options: Dotted keys of the config and their values.
        workers: Numbers of data loading processes.
        seconds: Minimum duration of each measurement.
        device: 'cpu', 'cuda' or 'cuda:N'.

    Returns:
        ``name``, ``batch_size``, ``memory_mib`` (peak of the GPU, or of the process without its workers), and results
        of :func:`rate`: ``step`` (alone), ``step_again`` (after all others, which shows how steady the machine was),
        ``pipeline`` and ``both`` (by number of workers).
    """
    from mmengine.registry import init_default_scope

    import posestructs  # noqa: F401

    # isort: split
    from benchmarks.speed.devices import peak_mib, wait_for
    from benchmarks.speed.training_step import make_loader, make_step
    from posestructs.utils import cli

    init_default_scope('mmpose')
    cfg = cli.load_config(config)
    cli.merge_options(cfg, dict(options))
    wait = functools.partial(wait_for, device)
    step = make_step(cfg, device)
    kept = itertools.cycle(list(itertools.islice(endless(make_loader(cfg, 0)), 2)))
    found: dict[str, Any] = dict(name=Path(config).stem, batch_size=cfg.train_dataloader.batch_size)
    found.update(step=rate(kept, step, seconds, wait), pipeline={}, both={})
    for count in workers:
        loader = make_loader(cfg, count)
        batches, ready = endless(loader), count * (loader.prefetch_factor or 0)
        found['pipeline'][str(count)] = rate(batches, lambda batch: None, seconds, wait, ready)
        found['both'][str(count)] = rate(batches, step, seconds, wait, ready)
    found['step_again'] = rate(kept, step, seconds, wait)
    return dict(found, memory_mib=peak_mib(device))


def endless(loader: Any) -> Iterator[Any]:
    """Batches of a loader, epoch after epoch."""
    while True:
        yield from loader


def rate(
    batches: Iterator[Any],
    use: Callable[[Any], None],
    seconds: float,
    wait: Callable[[], None],
    ready: int = 0,
) -> dict[str, float | int]:
    """Measure images per second after a warm-up.

    Batches that a loader has prefetched when the clock starts would be too fast. As many batches are therefore used
    before the clock starts, and more than the loader can prefetch are measured.

    Args:
        batches: Endless batches with ``inputs``.
        use: Function that uses a batch.
        seconds: Minimum duration; at least :data:`LEAST` batches, and more than ``ready``, are measured.
        wait: Function that waits until the device is done.
        ready: Largest number of prefetched batches.

    Returns:
        ``speed`` in images per second, and the number of measured ``batches``.
    """
    for _ in range(max(WARM_UP, ready)):
        use(next(batches))
    wait()
    began, count, images = time.perf_counter(), 0, 0
    while count < max(LEAST, ready + 1) or time.perf_counter() - began < seconds:
        batch = next(batches)
        use(batch)
        wait()
        count, images = count + 1, images + len(batch['inputs'])
    return dict(speed=round(images / (time.perf_counter() - began), 2), batches=count)


if __name__ == '__main__':
    sys.stdout.write(MARK + json.dumps(measure(**json.loads(sys.argv[1]))) + '\n')
