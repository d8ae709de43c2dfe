"""Rows, comparisons and grids of the accuracy benchmark.

Rows of a grid differ in the model alone: data, images, schedule and seeds are the grid's. ``{data}`` in the path of a
config stands for the data set's part of the file name, such as ``stick-figure-64x64``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from benchmarks.grid.control_trees import control_trees
from benchmarks.grid.schema import EVERYWHERE, OCCLUDED, OCCLUDERS, PCK, PCP, PLAIN, Comparison, Grid, Row

STICK_FIGURE = 'stick-figure-64x64'
LSPET_MINI = 'lspet-mini-128x128'
TREE = 'configs/structured_feature/sfl-separable_gen64_{data}'
ADVERSARIAL = 'configs/adversarial_posenet/apn_2x56_{data}'
MEAN_POSE, HOURGLASS = 'mean-pose', 'hourglass'

# the paper's weights make the terms a few thousandths of the loss in so short a training
_WEIGHTED = {'model.adversarial.alpha': 50 / 220, 'model.adversarial.beta': 50 / 180}
# the generator's rate: at a fifth of it, the scores of P often hardly differ between inputs after so short a training
_QUICK = {f'optim_wrapper.{name}.optimizer.lr': 1e-3 for name in ('pose', 'confidence')}


def _discriminators(**removed: None) -> dict[str, None]:
    return {f'{part}.{name}': None for name in removed for part in ('model.discriminators', 'optim_wrapper')}


ROWS: tuple[Row, ...] = (
    Row(MEAN_POSE, 'mean pose', TREE + '.py', main=True),
    Row(
        'resnet',
        'mmpose simple baseline, ResNet-18',
        'configs/baseline/td-hm_res18_{data}.py',
        only={'stick-figure': 'configs/demo/td-hm_res18-small_{data}.py'},
        labels={'stick-figure': 'mmpose simple baseline, ResNet-18 of half width, three stages'},
        changes={'model.test_cfg.flip_test': True},
        main=True,
    ),
    Row(HOURGLASS, 'mmpose hourglass', 'configs/baseline/td-hm_hourglass-small_{data}.py', main=True),
    Row('hrnet', 'mmpose HRNet-W32', 'configs/baseline/td-hm_hrnet-w32_{data}.py'),
    Row('tree-none', 'tree, no messages', TREE + '_none.py', main=True),
    Row('tree-up', 'tree, messages up', TREE + '_up.py'),
    Row('tree-down', 'tree, messages down', TREE + '_down.py'),
    Row('tree-both', 'tree, messages both ways', TREE + '.py', main=True),
    Row('tree-both-max-sum', 'tree, both ways, max-sum', TREE + '.py', decode_of='tree-both', fit_types=True),
    Row('single-task', 'generator, pose alone', ADVERSARIAL + '_single-task.py', main=True),
    Row('multi-task', 'generator, pose and occlusion', ADVERSARIAL + '_multi-task.py'),
    Row('c', '+ C', ADVERSARIAL + '.py', changes=_discriminators(pose=None)),
    Row('p', '+ P', ADVERSARIAL + '.py', changes=_discriminators(confidence=None)),
    Row('c-p', '+ C + P', ADVERSARIAL + '.py', main=True),
    Row('ungated', '+ C + P, no gate', ADVERSARIAL + '.py', changes={'model.adversarial.gate': False}),
    Row(
        'non-saturating',
        '+ C + P, non-saturating loss',
        ADVERSARIAL + '.py',
        changes={'model.adversarial.generator_loss': 'non_saturating'},
    ),
    Row('weighted', '+ C + P, 50 times alpha and beta', ADVERSARIAL + '.py', changes=_WEIGHTED),
    Row('quick', '+ C + P, which learn at 1e-3', ADVERSARIAL + '.py', changes=_QUICK),
    Row(
        'weighted-quick',
        '+ C + P, 50 times alpha and beta, which learn at 1e-3',
        ADVERSARIAL + '.py',
        changes={**_WEIGHTED, **_QUICK},
    ),
    Row('hybrid', 'hybrid: tree + C + P', 'configs/hybrid/apn-tree_2x56_{data}.py', main=True),
    Row(
        'pretrained',
        'EfficientNet-lite0 of ImageNet, mmpose head',
        'configs/baseline/td-hm_efficientnet-lite0_{data}.py',
        data='lspet-mini',
    ),
    Row(
        'pretrained-single-task',
        'EfficientNet-lite0 of ImageNet, pose alone',
        'configs/hybrid/apn_efficientnet-lite0_{data}_single-task.py',
        data='lspet-mini',
    ),
    Row(
        'pretrained-hybrid',
        'EfficientNet-lite0 of ImageNet, hybrid',
        'configs/hybrid/apn-tree_efficientnet-lite0_{data}.py',
        data='lspet-mini',
    ),
)
# what messages along the body's tree add beyond depth (other trees) and cost (a wider model without messages)
_CONTROL_TREES = control_trees(dict(from_file='lsp-26.py'))
STRUCTURE_ROWS: tuple[Row, ...] = (
    *(
        Row(f'tree-{name}', f'{name} tree, messages both ways', TREE + '.py', {EVERYWHERE: dict(tree=tree)})
        for name, tree in _CONTROL_TREES.items()
    ),
    Row(
        'tree-none-wide',
        'tree, no messages, 72 channels',
        TREE + '_none.py',
        {f'model.{key}': 72 for key in ('backbone.channels', 'neck.in_channels', 'head.shared_channels')},
    ),
)
BY_NAME: Mapping[str, Row] = {row.name: row for row in (*ROWS, *STRUCTURE_ROWS)}

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
    Comparison('pretrained-hybrid', 'pretrained-single-task', 'structure on top of pretraining'),
    Comparison('pretrained-hybrid', 'pretrained', 'structure, another head and another loss on top of pretraining'),
)


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
_EQUAL_GENERATOR = {**_EQUAL_SIZE, 'model.backbone.channels': 224, 'model.head.in_channels': 224}
_EQUAL_DISCRIMINATORS = {
    'model.discriminators.pose.depth': 2,
    'model.discriminators.confidence.depth': 2,
    # the config's share of the norm of a target map
    'model.adversarial.epsilon': 1.25,
}

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
            shares=_CPU_LSPET_MINI.name,
            note='Two trees were scored on these test samples before: one of 160 channels at 128x128, after which the '
            'size was selected on other samples, and this one with a rate of negative cells of 0.02 instead of 0.05.',
        ),
    },
    'structure': {
        'lspet-mini': replace(
            _CPU_LSPET_MINI,
            name='structure_lspet-mini-128x128',
            rows=(BY_NAME['tree-none'], BY_NAME['tree-both'], *STRUCTURE_ROWS),
            seeds=(0, 1, 2),
            main_seeds=(0, 1, 2),
            changes={},
            shares=_CPU_LSPET_MINI.name,
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
