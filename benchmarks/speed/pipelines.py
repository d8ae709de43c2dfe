"""Cost of data pipelines relative to each other, one image at a time, without data loaders."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from mmengine.config import Config
from mmengine.runner import set_random_seed
from mmpose.registry import DATASETS

OCCLUDER = 'RandomOccluder'
Name = TypeVar('Name', bound=Hashable)


def measure_pipelines(configs: Mapping[str, Config], rounds: int, images: int) -> list[dict[str, Any]]:
    """Time the training pipelines of configs alternately.

    Args:
        configs: Configs by name; the first one is the reference.
        rounds: Number of rounds.
        images: Images that each pipeline prepares in a round, the same ones for all.

    Returns:
        For each pipeline, and again without artificial occluders if it has them: ``names`` of the configs that have it,
        ``occluders`` (``False`` if they were removed), CPU ``ms`` of an image (median over rounds), ``ratio`` to the
        first config (median over rounds) and ``ratio_quartiles``.
    """
    alike = same_data({name: cfg.train_dataloader.dataset for name, cfg in configs.items()})
    cases = [(names, True, dataset) for names, dataset in alike]
    for names, dataset in alike:
        if any(step['type'] == OCCLUDER for step in dataset['pipeline']):
            cases.append((names, False, without_occluders(dataset)))
    turns = {i: _turn(DATASETS.build(dataset), images) for i, (_, _, dataset) in enumerate(cases)}
    times = take_turns(turns, rounds)
    rows = []
    for i, (names, occluders, _) in enumerate(cases):
        ratios = times[i] / times[0]
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        rows.append(
            dict(
                names=names,
                occluders=occluders,
                ms=round(1e3 * float(np.median(times[i])) / images, 3),
                ratio=round(float(middle), 3),
                ratio_quartiles=[round(float(low), 3), round(float(high), 3)],
            )
        )
    return rows


def same_data(datasets: Mapping[str, Mapping[str, Any]]) -> list[tuple[list[str], Mapping[str, Any]]]:
    """Group identical data sets, pipelines included.

    Args:
        datasets: Configs of data sets by name.

    Returns:
        Names, and the config that they share, in order of the first name.
    """
    alike: list[tuple[list[str], Mapping[str, Any]]] = []
    for name, dataset in datasets.items():
        names = next((names for names, other in alike if other == dataset), None)
        if names is None:
            alike.append(([name], dataset))
        else:
            names.append(name)
    return alike


def without_occluders(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Config of a data set without artificial occluders."""
    return dict(dataset, pipeline=[step for step in dataset['pipeline'] if step['type'] != OCCLUDER])


def take_turns(
    turns: Mapping[Name, Callable[[], None]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[Name, np.ndarray]:
    """Time functions alternately, in a different order each round, after an unmeasured round.

    Args:
        turns: Functions by name.
        rounds: Number of measured rounds.
        clock: Clock in seconds.

    Returns:
        (rounds,) seconds of each function.
    """
    names = list(turns)
    times: dict[Name, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            began = clock()
            turns[name]()
            if turn:
                times[name].append(clock() - began)
    return {name: np.array(seconds) for name, seconds in times.items()}


def _turn(dataset: Any, images: int) -> Callable[[], None]:
    # spread evenly over the data set, the same for all configs
    indices = np.linspace(0, len(dataset) - 1, min(images, len(dataset))).astype(int).tolist()
    indices = (indices * (images // len(indices) + 1))[:images]

    def prepare() -> None:
        set_random_seed(0)
        for i in indices:
            dataset[i]

    return prepare
