"""How much each row gets: data, images, seeds and size. Everything but the model is the same for all rows of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.grid.rows import MEAN_POSE, ROWS, Row

STICK_FIGURE = 'stick-figure-64x64'
LSPET_MINI = 'lspet-mini-128x128'

EVERYWHERE = 'everywhere'

# scored apart: people as they are, and the same people under occluders that are the same in every run
PLAIN, OCCLUDERS = 'plain', 'occluders'


@dataclass(frozen=True)
class Grid:
    """Rows on a data set under one budget.

    Attributes:
        name: Names its folder of results.
        data: The data set's part of the configs' file names.
        pipeline_of: Data config whose pipeline, up to the targets, all rows train with; ``None`` leaves theirs.
        epoch_images: Training images of an epoch; ``None`` takes all there are.
        epochs: Passes over them.
        batch_size: In training.
        test_sets: What is scored.
        only_main: Whether only the main rows are in it, and ``extra`` ones.
        extra: Names of further rows.
        seeds: Of each row.
        main_seeds: Of the main rows.
        max_gmacs: Multiply-adds of one forward pass of one image, at most, in thousands of millions.
        changes: Keys of the config and values, by row; those under :data:`EVERYWHERE` are set wherever the config has
            such a key, in pipelines as in decoders.
        enlarge: Factor of the input's and the maps' sides.
        shares: Name of another grid. Rows that are the same in both are run once, and stand in both tables.
        note: What the report says of it besides.
    """

    name: str
    data: str
    epochs: int
    batch_size: int
    pipeline_of: str | None = None
    epoch_images: int | None = None
    test_sets: tuple[str, ...] = (PLAIN,)
    only_main: bool = False
    extra: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    main_seeds: tuple[int, ...] = (0,)
    max_gmacs: float | None = None
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    enlarge: int = 1
    shares: str | None = None
    note: str = ''

    def folders(self) -> tuple[str, ...]:
        """Names of the folders that hold its results.

        Returns:
            tuple[str, ...]: Its own, and that of the grid that it shares rows with.
        """
        return (self.name,) if self.shares is None else (self.name, self.shares)

    def rows(self) -> list[Row]:
        """Rows of the grid, main rows first.

        Returns:
            list[Row]: In the order in which they are run.
        """
        found = [row for row in ROWS if row.data in self.data]
        if self.only_main:
            found = [row for row in found if row.main or row.name in self.extra]
        return sorted(found, key=lambda row: not row.main)

    def seeds_of(self, row: Row) -> tuple[int, ...]:
        """Seeds of a row.

        Args:
            row: One of the grid.

        Returns:
            tuple[int, ...]: At least one.
        """
        # nothing is drawn at random for the mean pose
        return (0,) if row.name == MEAN_POSE else self.main_seeds if row.main else self.seeds


# mmpose fixes the width of its hourglass at full resolution at 256; a smaller input is what brings it below 1 GMAC
SMALL_HOURGLASS = {
    EVERYWHERE: dict(input_size=(80, 80), heatmap_size=(20, 20), sigma=1.25),
    'model.backbone.downsample_times': 2,
    'model.backbone.stage_channels': (256, 48, 64),
    'model.backbone.stage_blocks': (1, 1, 1),
    'model.backbone.feat_channel': 32,
    'model.head.in_channels': 32,
}

# image and maps of that hourglass, and as wide as stays below its 0.993 GMACs: ours beside mmpose's, at equal cost
_EQUAL_SIZE = {EVERYWHERE: SMALL_HOURGLASS[EVERYWHERE], 'model.backbone.depth': 2}
_EQUAL_TREE = {
    # as many negative cells as in maps of 32x32
    EVERYWHERE: dict(SMALL_HOURGLASS[EVERYWHERE], negative_rate=0.05),
    'model.backbone.depth': 2,
    'model.backbone.channels': 304,
    'model.neck.in_channels': 304,
    'model.head.shared_channels': 304,
}
_EQUAL_GENERATOR = {**_EQUAL_SIZE, 'model.backbone.channels': 224, 'model.head.in_channels': 224}
_EQUAL_DISCRIMINATORS = {
    'model.discriminators.pose.depth': 2,
    'model.discriminators.confidence.depth': 2,
    # as in the config, the same share of the norm of a true map
    'model.adversarial.epsilon': 1.25,
}

_TREE_256 = {
    # as many negative cells as at a quarter of the area
    EVERYWHERE: dict(negative_rate=0.005),
    'model.backbone.channels': 128,
    'model.neck.in_channels': 128,
    'model.neck.part_channels': 16,
    'model.head.shared_channels': 128,
}
# one stack: a checkpoint of two, with both moments of Adam, is larger than what travels between the parts of a grid
_GENERATOR_256 = {
    'model.backbone.channels': 128,
    'model.backbone.num_stacks': 1,
    'model.head.in_channels': 128,
    'model.head.num_stacks': 1,
}

_ADVERSARIAL = (
    'single-task',
    'multi-task',
    'c',
    'p',
    'c-p',
    'ungated',
    'non-saturating',
    'weighted',
    'quick',
    'weighted-quick',
)

_CPU_LSPET_MINI = Grid(
    name='cpu_lspet-mini-128x128',
    data=LSPET_MINI,
    pipeline_of='configs/_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    epochs=2,
    batch_size=16,
    test_sets=(PLAIN, OCCLUDERS),
    only_main=True,
    extra=('pretrained', 'pretrained-single-task', 'pretrained-hybrid'),
    max_gmacs=1.0,
    changes={'hourglass': SMALL_HOURGLASS},
)

GRIDS: Mapping[str, Mapping[str, Grid]] = {
    'cpu': {
        'stick-figure': Grid(
            name='cpu_stick-figure-64x64',
            data=STICK_FIGURE,
            epoch_images=6000,
            epochs=3,
            batch_size=32,
        ),
        'lspet-mini': _CPU_LSPET_MINI,
        'lspet-mini-equal': replace(
            _CPU_LSPET_MINI,
            name='cpu_lspet-mini-80x80_equal-cost',
            extra=(),
            changes={
                'hourglass': SMALL_HOURGLASS,
                **dict.fromkeys(('tree-none', 'tree-both'), _EQUAL_TREE),
                'single-task': _EQUAL_GENERATOR,
                'c-p': {**_EQUAL_GENERATOR, **_EQUAL_DISCRIMINATORS},
                'hybrid': {**_EQUAL_GENERATOR, **_EQUAL_DISCRIMINATORS, 'model.neck.in_channels': 224},
            },
            shares=_CPU_LSPET_MINI.name,
            note='Two trees were scored on these test people before: one of 160 channels at 128x128, after which the '
            'size was chosen on others, and this one with a rate of negative cells of 0.02 in place of 0.05.',
        ),
    },
    'gpu': {
        'lspet-mini': Grid(
            name='gpu_lspet-mini-256x256',
            data=LSPET_MINI,
            pipeline_of='configs/_base_/dataloaders/lspet-mini_128x128_occlusion.py',
            epochs=30,
            batch_size=32,
            test_sets=(PLAIN, OCCLUDERS),
            main_seeds=(0, 1, 2),
            enlarge=2,
            changes={
                'tree-none': _TREE_256,
                'tree-up': _TREE_256,
                'tree-down': _TREE_256,
                'tree-both': _TREE_256,
                'tree-both-max-sum': _TREE_256,
                **dict.fromkeys(_ADVERSARIAL, _GENERATOR_256),
                'hybrid': {**_GENERATOR_256, 'model.neck.in_channels': 128},
            },
        ),
    },
}
