"""Grids of the accuracy benchmark, and the differences between their rows that get a confidence interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.grid.rows import (
    BY_NAME,
    EVERYWHERE,
    IMAGENET_ROWS,
    OCCLUDED,
    OCCLUDERS,
    PCK,
    PCP,
    PLAIN,
    ROWS,
    SMALL_MAP_ROWS,
    STRONG_ROWS,
    STRUCTURE_ROWS,
    Row,
)

STICK_FIGURE = 'stick-figure-64x64'
LSPET_MINI = 'lspet-mini-128x128'


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
        shares: Names of other grids. Rows that are identical in both are run once and appear in both tables.
        note: Remark in the report.
        plots: Drawings of the report, keys of :data:`benchmarks.grid.report.PLOTS`.
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
    shares: tuple[str, ...] = ()
    note: str = ''
    plots: tuple[str, ...] = ('pdj', 'occlusion')

    def folders(self) -> tuple[str, ...]:
        """Folders that hold its results: its own, and those of the grids that it shares rows with."""
        return (self.name, *self.shares)

    def seeds_of(self, row: Row) -> tuple[int, ...]:
        """Seeds of a row; the mean pose is not random and has one."""
        return (0,) if row.is_mean_pose else self.main_seeds if row.main else self.seeds


# mmpose fixes the width of its hourglass at full resolution at 256, so that only a smaller input brings it below 1 GMAC
SMALL_HOURGLASS = {
    EVERYWHERE: dict(input_size=(80, 80), heatmap_size=(20, 20), sigma=1.25),
    'model.backbone.downsample_times': 2,
    'model.backbone.stage_channels': (256, 48, 64),
    'model.backbone.stage_blocks': (1, 1, 1),
    'model.backbone.feat_channel': 32,
    'model.head.in_channels': 32,
}

# equal cost: input and maps of that hourglass, and the largest width that stays below its 0.993 GMACs
_EQUAL_SIZE = {EVERYWHERE: SMALL_HOURGLASS[EVERYWHERE], 'model.backbone.depth': 2}
_EQUAL_TREE = {
    # the number of negative cells of maps of 32x32
    EVERYWHERE: dict(SMALL_HOURGLASS[EVERYWHERE], negative_rate=0.05),
    'model.backbone.depth': 2,
    'model.backbone.channels': 304,
    'model.neck.in_channels': 304,
    'model.head.shared_channels': 304,
}
_EQUAL_TREE_DISCLESS = {
    **_EQUAL_TREE,
    EVERYWHERE: dict(SMALL_HOURGLASS[EVERYWHERE], sampling=dict(negative_rate=0.05, ignore_radius=0.0)),
}
_EQUAL_GENERATOR = {**_EQUAL_SIZE, 'model.backbone.channels': 224, 'model.head.in_channels': 224}
_EQUAL_DISCRIMINATORS = {
    'model.discriminators.pose.depth': 2,
    'model.discriminators.confidence.depth': 2,
    # the config's share of the norm of a target map
    'model.adversarial.epsilon': 1.25,
}

_SEEDS = (0, 1, 2)
# curves and bars of rows that lie within a point of each other show nothing
_DOTS = ('rows',)

_TREE_256 = {
    # the number of negative cells at a quarter of the area
    EVERYWHERE: dict(negative_rate=0.005),
    'model.backbone.channels': 128,
    'model.neck.in_channels': 128,
    'model.neck.part_channels': 16,
    'model.head.shared_channels': 128,
}
# one stack keeps a checkpoint, with both moments of Adam, below 16 MiB
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


def _rows(data: str, extra: Iterable[str] | None = None) -> tuple[Row, ...]:
    """Rows for a data set, main rows first; with ``extra``, only the main rows and those named."""
    found = [row for row in ROWS if row.data in data and (extra is None or row.main or row.name in extra)]
    return tuple(sorted(found, key=lambda row: not row.main))


_CPU_LSPET_MINI = Grid(
    name='cpu_lspet-mini-128x128',
    data=LSPET_MINI,
    pipeline_of='configs/_base_/dataloaders/lspet-mini_128x128_occlusion.py',
    epochs=2,
    batch_size=16,
    test_sets=(PLAIN, OCCLUDERS),
    rows=_rows(LSPET_MINI, extra=('pretrained', 'pretrained-single-task', 'pretrained-hybrid')),
    max_gmacs=1.0,
    changes={'hourglass': SMALL_HOURGLASS},
)

GRIDS: Mapping[str, Mapping[str, Grid]] = {
    'cpu': {
        'stick-figure': Grid(
            name='cpu_stick-figure-64x64',
            data=STICK_FIGURE,
            rows=_rows(STICK_FIGURE),
            epoch_images=6000,
            epochs=3,
            batch_size=32,
            plots=('pdj',),  # bars of twenty rows cannot be read
        ),
        'lspet-mini': _CPU_LSPET_MINI,
        'lspet-mini-equal': replace(
            _CPU_LSPET_MINI,
            name='cpu_lspet-mini-80x80_equal-cost',
            rows=_rows(LSPET_MINI, extra=()),
            changes={
                'hourglass': SMALL_HOURGLASS,
                **dict.fromkeys(('tree-none', 'tree-both'), _EQUAL_TREE),
                'single-task': _EQUAL_GENERATOR,
                'c-p': {**_EQUAL_GENERATOR, **_EQUAL_DISCRIMINATORS},
                'hybrid': {**_EQUAL_GENERATOR, **_EQUAL_DISCRIMINATORS, 'model.neck.in_channels': 224},
            },
            shares=(_CPU_LSPET_MINI.name,),
            plots=(),
            note='Two trees were scored on these test samples before: one of 160 channels at 128x128, after which the '
            'size was selected on other samples, and this one with a rate of negative cells of 0.02 instead of 0.05.',
        ),
    },
    'structure': {
        'lspet-mini': replace(
            _CPU_LSPET_MINI,
            name='structure_lspet-mini-128x128',
            rows=(BY_NAME['tree-none'], BY_NAME['tree-both'], *STRUCTURE_ROWS, BY_NAME['multi-task']),
            seeds=_SEEDS,
            main_seeds=_SEEDS,
            changes={},
            note='Fitted to the training poses, the tree of highest mutual information between the 26 parts has the '
            "edges of the body's tree; most of them link points between two joints, which are computed from these. "
            'Trees with and without messages were trained anew, with the code of the other rows.',
            plots=_DOTS,
        ),
        'lspet-mini-80x80': replace(
            _CPU_LSPET_MINI,
            name='structure_lspet-mini-80x80',
            rows=(BY_NAME['tree-none'], BY_NAME['tree-both'], *SMALL_MAP_ROWS),
            seeds=_SEEDS,
            main_seeds=_SEEDS,
            max_gmacs=None,
            changes={
                **dict.fromkeys(('tree-none', 'tree-both', 'tree-heavy'), _EQUAL_TREE),
                **dict.fromkeys(('tree-none-discless', 'tree-both-discless'), _EQUAL_TREE_DISCLESS),
            },
            plots=_DOTS,
        ),
        'movenet': Grid(
            name='structure_movenet-lightning_lspet-mini-192x192',
            data='lspet-mini-192x192',
            epochs=2,
            epoch_images=4400,
            batch_size=16,
            rows=STRONG_ROWS,
            seeds=_SEEDS,
            main_seeds=_SEEDS,
            note="All rows start from MoveNet Lightning's published weights. The training is short, 2 epochs of the "
            'first 4,400 training persons.',
            plots=_DOTS,
        ),
        'imagenet': replace(
            _CPU_LSPET_MINI,
            name='structure_efficientnet-lite0_lspet-mini-128x128',
            rows=IMAGENET_ROWS,
            seeds=_SEEDS,
            main_seeds=_SEEDS,
            changes={},
            note="All rows start from ImageNet's weights; the row without messages has the same neck and head.",
            plots=_DOTS,
        ),
    },
    'gpu': {
        'lspet-mini': Grid(
            name='gpu_lspet-mini-256x256',
            data=LSPET_MINI,
            rows=_rows(LSPET_MINI),
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


BETTER = {PCK: 0.0}

COMPARISONS: tuple[Comparison, ...] = (
    Comparison('tree-both', 'tree-none', 'messages', {PCK: 2.0, PCP: 2.0}),
    Comparison('tree-up', 'tree-none', 'messages to the root alone'),
    Comparison('tree-down', 'tree-none', 'messages from the root alone'),
    Comparison('tree-both-max-sum', 'tree-both', 'max-sum in place of arg-max, the same checkpoint'),
    Comparison('multi-task', 'single-task', 'occlusion maps'),
    Comparison('c', 'multi-task', 'C'),
    Comparison('p', 'multi-task', 'P'),
    Comparison('c-p', 'multi-task', 'C and P'),
    Comparison('c-p', 'single-task', 'occlusion maps, C and P', {PCK: 1.0, OCCLUDED: 3.0}),
    Comparison('c-p', 'ungated', 'the gate'),
    Comparison('non-saturating', 'c-p', "the generator's loss"),
    Comparison('weighted', 'c-p', 'weights of C and P'),
    Comparison('weighted', 'single-task', 'occlusion maps, C and P with such weights'),
    Comparison('quick', 'c-p', 'rate of C and P'),
    Comparison('weighted-quick', 'weighted', 'rate of C and P with such weights'),
    Comparison('weighted-quick', 'single-task', 'occlusion maps, C and P with such weights and rate'),
    Comparison('hybrid', 'tree-both', 'hybrid and tree', BETTER),
    Comparison('hybrid', 'c-p', 'hybrid and adversarial', BETTER),
    Comparison('tree-both', 'hourglass', "tree and mmpose's hourglass", BETTER),
    Comparison('c-p', 'hourglass', "adversarial and mmpose's hourglass", BETTER),
    Comparison('hybrid', 'hourglass', "hybrid and mmpose's hourglass", BETTER),
    Comparison('tree-both', 'tree-shuffled', 'anatomy: messages along the body and along a shuffled tree', {PCK: 2.0}),
    Comparison('tree-both', 'tree-star', 'messages along the body and from all parts to one'),
    Comparison('tree-both', 'tree-chain', 'messages along the body and along a chain'),
    Comparison('tree-shuffled', 'tree-none', 'messages along a shuffled tree'),
    Comparison('tree-both', 'tree-none-wide', 'messages at equal cost', BETTER),
    Comparison('tree-both', 'tree-self', 'messages from neighbours and from the part itself'),
    Comparison('tree-shuffled', 'tree-self', 'messages from other parts than the neighbours'),
    Comparison('tree-self', 'tree-none', 'messages of each part to itself'),
    Comparison('tree-light', 'tree-none', 'messages with a small share of the cost'),
    Comparison('tree-heavy', 'tree-none', 'messages with a large share of the cost'),
    Comparison('tree-both', 'tree-none-160', 'messages and more than twice the channels'),
    Comparison('tree-both-discless', 'tree-none-discless', 'messages where no cells are ignored'),
    Comparison('maps-true', 'multi-task', 'messages, read off heatmaps', {PCK: 2.0}),
    Comparison('maps-true', 'maps-shuffled', 'anatomy, read off heatmaps', {PCK: 2.0}),
    Comparison('maps-true', 'maps-self', 'messages from neighbours, read off heatmaps'),
    Comparison('maps-shuffled', 'maps-self', 'messages from other parts than the neighbours, read off heatmaps'),
    *(
        Comparison('strong-true', f'strong-{name}', f'{about}, from pretrained weights', aims)
        for name, about, aims in (
            ('shuffled', 'anatomy', {PCK: 2.0}),
            ('none', 'messages', {PCK: 1.5}),
            ('self', 'messages from neighbours', {}),
            ('wide', 'messages at equal cost', BETTER),
            ('star', 'the body and a star', {}),
            ('chain', 'the body and a chain', {}),
            ('chow-liu', 'the body and the tree of highest mutual information', {}),
        )
    ),
    Comparison('strong-shuffled', 'strong-self', 'messages from other parts, from pretrained weights'),
    Comparison('strong-shuffled', 'strong-none', 'messages along a shuffled tree, from pretrained weights'),
    Comparison('imagenet-true', 'imagenet-none', 'messages, from ImageNet', {PCK: 2.0}),
    Comparison('imagenet-true', 'imagenet-shuffled', 'anatomy, from ImageNet', {PCK: 2.0}),
    Comparison('imagenet-true', 'imagenet-self', 'messages from neighbours, from ImageNet'),
    Comparison('imagenet-self', 'imagenet-none', 'messages of each part to itself, from ImageNet'),
    Comparison('pretrained-hybrid', 'pretrained-single-task', 'structure on top of pretraining'),
    Comparison('pretrained-hybrid', 'pretrained', 'structure, another head and another loss on top of pretraining'),
)
