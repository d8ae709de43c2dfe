"""Definitions of a row, a grid and a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PCK, PCP = 'TorsoPCK@0.2', 'StrictPCP@0.5'
VISIBLE, OCCLUDED = 'visible TorsoPCK@0.2', 'occluded TorsoPCK@0.2'

# test sets: the images as they are, and the same images under occluders that are the same in every run
PLAIN, OCCLUDERS = 'plain', 'occluders'

EVERYWHERE = 'everywhere'
"""Key of :attr:`Grid.changes` for values that are set wherever a config has the key, in pipelines and in decoders."""


@dataclass(frozen=True, eq=False)
class Row:
    """A model of the table.

    Attributes:
        name: Name of its files.
        label: Name in tables and plots.
        config: Path with ``{data}`` for the data set's part of the file name. The mean pose uses only its data set.
        changes: Dotted keys of the config and their values.
        only: Config in place of ``config``, by a part of the data set's name.
        labels: Label in place of ``label``, by a part of the data set's name.
        data: Part of the name of the data sets that the row is for.
        decode_of: Row whose checkpoint it decodes; such a row is not trained.
        fit_types: Whether its codec gets mixture types, one a part, fitted to the training samples.
        main: Whether small grids include it and large ones give it more seeds.
    """

    name: str
    label: str
    config: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    data: str = ''
    decode_of: str | None = None
    fit_types: bool = False
    main: bool = False

    @property
    def is_mean_pose(self) -> bool:
        """Whether the row has no model."""
        return self.name == 'mean-pose'

    def path(self, data: str) -> str:
        """Config file for a data set, relative to the project's root."""
        return next((path for key, path in self.only.items() if key in data), self.config).format(data=data)

    def label_for(self, data: str) -> str:
        """Label in the tables and plots of a data set."""
        return next((label for key, label in self.labels.items() if key in data), self.label)


@dataclass(frozen=True)
class Comparison:
    """Difference of two rows that gets a confidence interval.

    Attributes:
        row: Row that is expected to score higher.
        against: Row that it is compared with.
        about: Subject of the comparison, for tables.
        aims: Points by which it should score higher, by measure.
    """

    row: str
    against: str
    about: str
    aims: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Rows that are trained on one data set under one budget.

    Attributes:
        name: Name of its folder of results.
        data: Data set's part of the configs' file names.
        epochs: Passes over the training images.
        batch_size: Batch size in training.
        rows: The rows, in the order in which they are run.
        pipeline_of: Data config whose pipeline, up to the targets, all rows train with; ``None`` keeps each row's own.
        epoch_images: Training images of an epoch; ``None`` uses all.
        test_sets: Test sets that are scored.
        seeds: Seeds of each row.
        main_seeds: Seeds of the main rows.
        max_gmacs: Largest number of multiply-adds of a forward pass of one image, in 10^9.
        changes: Dotted keys of the config and their values, by row; see :data:`EVERYWHERE`.
        enlarge: Factor of the sides of input and maps.
        shares: Name of another grid. Rows that are identical in both are run once and appear in both tables.
        note: Remark in the report.
    """

    name: str
    data: str
    epochs: int
    batch_size: int
    rows: tuple[Row, ...]
    pipeline_of: str | None = None
    epoch_images: int | None = None
    test_sets: tuple[str, ...] = (PLAIN,)
    seeds: tuple[int, ...] = (0,)
    main_seeds: tuple[int, ...] = (0,)
    max_gmacs: float | None = None
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    enlarge: int = 1
    shares: str | None = None
    note: str = ''

    def folders(self) -> tuple[str, ...]:
        """Folders that hold its results: its own, and that of the grid that it shares rows with."""
        return (self.name,) if self.shares is None else (self.name, self.shares)

    def seeds_of(self, row: Row) -> tuple[int, ...]:
        """Seeds of a row; the mean pose is not random and has one."""
        return (0,) if row.is_mean_pose else self.main_seeds if row.main else self.seeds
