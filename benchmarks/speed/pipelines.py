"""Cost of data pipelines beside each other, image by image, without data loaders."""

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
    """Time the training pipelines of configs in turns.

    Args:
        configs: By name; the first one is what the others are compared with.
        rounds: How often each has its turn.
        images: That each prepares in a turn, the same ones.

    Returns:
        list[dict[str, Any]]: For each pipeline, and for those with artificial occluders once more without: ``names`` of
        the configs that have it, ``occluders`` (``False`` where they were taken away), CPU ``ms`` an image (median of
        the rounds), ``ratio`` to the first config (median of the rounds' ratios) and ``ratio_quartiles``.
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
    """Bring together what is one and the same, pipelines included.

    Args:
        datasets: Configs of data sets by name.

    Returns:
        list[tuple[list[str], Mapping[str, Any]]]: Names, and the config that they share, in the order of the first.
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
    """A data set's config, less the artificial occluders."""
    return dict(dataset, pipeline=[step for step in dataset['pipeline'] if step['type'] != OCCLUDER])


def take_turns(
    turns: Mapping[Name, Callable[[], None]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[Name, np.ndarray]:
    """Time functions in turns, in another order each round, after one round that does not count.

    Args:
        turns: By name.
        rounds: That count.
        clock: In seconds.

    Returns:
        dict[Name, np.ndarray]: (rounds,) seconds of each.
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
    # the people of a large set are drawn or decoded alike for all configs
    indices = np.linspace(0, len(dataset) - 1, min(images, len(dataset))).astype(int).tolist()
    indices = (indices * (images // len(indices) + 1))[:images]

    def prepare() -> None:
        set_random_seed(0)
        for i in indices:
            dataset[i]

    return prepare
