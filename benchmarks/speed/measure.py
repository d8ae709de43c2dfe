"""Speed of one config in a process of its own: ``python -m benchmarks.speed.measure '{"config": ..., ...}'``."""

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
"""Batches that do not count."""
LEAST = 8
"""Batches that count, at least."""


def measure_model(
    config: str, options: Mapping[str, Any], workers: Sequence[int], seconds: float, device: str
) -> dict[str, Any]:
    """Measure a config in another process.

    Args:
        config: Its file.
        options: Keys of it and values.
        workers: Numbers of processes that load data.
        seconds: Of each measurement.
        device: 'cpu', 'cuda' or 'cuda:N'.

    Returns:
        dict[str, Any]: See :func:`measure`.

    Raises:
        RuntimeError: It failed.
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
        config: Its file.
        options: Keys of it and values.
        workers: Numbers of processes that load data.
        seconds: Of each measurement, which takes longer where batches are slow.
        device: 'cpu', 'cuda' or 'cuda:N'.

    Returns:
        dict: ``name``, ``batch_size``, ``memory_mib`` (peak of the process without those that load data, or of the
        GPU), and what :func:`rate` gives of ``step`` (alone), ``step_again`` (after all others, which shows how steady
        the machine was), ``pipeline`` and ``both`` (by number of workers).
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
    """Batches, epoch after epoch."""
    while True:
        yield from loader


def rate(
    batches: Iterator[Any],
    use: Callable[[Any], None],
    seconds: float,
    wait: Callable[[], None],
    ready: int = 0,
) -> dict[str, float | int]:
    """Count images a second, once things are under way.

    What a loader holds ready when it is asked for the first time counts for nobody: as many batches are used before
    the clock starts. From then on it prepares one for each that is used. More than it can hold are counted.

    Args:
        batches: Without an end; each has ``inputs``, an image each.
        use: What is done with a batch.
        seconds: How long, but at least :data:`LEAST` batches and more than are ``ready``.
        wait: Until the device is done.
        ready: Batches that are prepared before they are asked for, at most.

    Returns:
        dict[str, float | int]: ``speed`` in images a second, ``batches`` that it rests on.
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
