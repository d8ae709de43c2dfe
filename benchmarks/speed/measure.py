"""Speed of one config in a process of its own: ``python -m benchmarks.speed.measure '{"config": ..., ...}'``."""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MARK = 'measured: '


def measure_model(
    config: str, options: Mapping[str, Any], workers: Sequence[int], seconds: float, device: str
) -> dict[str, Any]:
    """Measure a config in another process.

    Args:
        config: Its file.
        options: Keys of it and values.
        workers: Numbers of processes that load data.
        seconds: Of each measurement.
        device: 'cpu' or 'cuda'.

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
        seconds: Of each measurement.
        device: 'cpu' or 'cuda'.

    Returns:
        dict: ``name``, ``batch_size``, ``step`` (images a second of the step alone), ``pipeline`` and ``both`` (by
        number of workers), ``memory_mib`` (peak of the process without those that load data, or of the GPU).
    """
    import torch
    from mmengine.registry import init_default_scope

    import posestructs  # noqa: F401

    # isort: split
    from benchmarks.speed.training_step import make_loader, make_step
    from posestructs.utils import cli

    init_default_scope('mmpose')
    cfg = cli.load_config(config)
    cli.merge_options(cfg, dict(options))
    wait = torch.cuda.synchronize if device == 'cuda' else (lambda: None)
    size = cfg.train_dataloader.batch_size
    step = make_step(cfg, device)
    kept = list(itertools.islice(endless(make_loader(cfg, 0)), 2))
    found: dict[str, Any] = dict(name=Path(config).stem, batch_size=size, pipeline={}, both={})
    found['step'] = rate(itertools.cycle(kept), step, seconds, size, wait)
    for count in workers:
        batches = endless(make_loader(cfg, count))
        found['pipeline'][str(count)] = rate(batches, lambda batch: None, seconds, size, wait)
        found['both'][str(count)] = rate(batches, step, seconds, size, wait)
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found['memory_mib'] = round((torch.cuda.max_memory_allocated() if device == 'cuda' else kib * 1024) / 2**20)
    return found


def endless(loader: Any) -> Iterator[Any]:
    """Batches, epoch after epoch."""
    while True:
        yield from loader


def rate(
    batches: Iterator[Any], use: Callable[[Any], None], seconds: float, size: int, wait: Callable[[], None]
) -> float:
    """Images a second, after one batch that does not count.

    Args:
        batches: Without an end.
        use: What is done with a batch.
        seconds: How long, at least one batch.
        size: Images of a batch.
        wait: Until the device is done.

    Returns:
        float: Images a second.
    """
    use(next(batches))
    wait()
    began, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - began < seconds:
        use(next(batches))
        wait()
        count += 1
    return round(count * size / (time.perf_counter() - began), 2)


if __name__ == '__main__':
    sys.stdout.write(MARK + json.dumps(measure(**json.loads(sys.argv[1]))) + '\n')
