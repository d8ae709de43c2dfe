"""What is compared: a config each, what it changes in it, and what it is compared with.

``{data}`` in a path stands for the data set's part of the file name, such as ``stick-figure-64x64``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TREE = 'configs/structured_feature/sfl-separable_gen64_{data}'
ADVERSARIAL = 'configs/adversarial_posenet/apn_2x56_{data}'

MEAN_POSE, HOURGLASS = 'mean-pose', 'hourglass'


@dataclass(frozen=True, eq=False)
class Row:
    """A line of the table.

    Attributes:
        name: Names its files.
        label: In tables and plots.
        config: Path with ``{data}``; the mean pose takes only the data set of it.
        changes: Keys of the config, dotted, and their values.
        only: Own config, in place of ``config``, where a word is part of the data set's name.
        labels: Own label, in place of ``label``, where a word is part of the data set's name.
        data: Part of the name of the data sets that the row is for.
        decode_of: Row whose checkpoint it scores; it then trains nothing.
        fit_types: Whether its codec gets mixture types, one a part, that are fitted to the training people.
        main: Whether small grids have it and large ones give it more seeds.
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

    def path(self, data: str) -> str:
        """Config file of the row for a data set.

        Args:
            data: Data set's part of the file name.

        Returns:
            str: Path seen from the project's root.
        """
        return next((path for key, path in self.only.items() if key in data), self.config).format(data=data)

    def label_for(self, data: str) -> str:
        """Label of the row in the table of a data set.

        Args:
            data: Data set's part of the file name.

        Returns:
            str: In tables and plots.
        """
        return next((label for key, label in self.labels.items() if key in data), self.label)


# with the paper's weights the terms are a few thousandths of the loss of so short a training
_WEIGHTED = {'model.adversarial.alpha': 50 / 220, 'model.adversarial.beta': 50 / 180}
# as fast as the generator: at a fifth of its rate, P often says nearly the same of everything after so short a training
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
BY_NAME: Mapping[str, Row] = {row.name: row for row in ROWS}


@dataclass(frozen=True)
class Comparison:
    """A difference worth an interval.

    Attributes:
        row: The better one, as one hopes.
        against: The other.
        about: What the difference shows.
        aims: Points by which it should be better, by measure.
    """

    row: str
    against: str
    about: str
    aims: Mapping[str, float] = field(default_factory=dict)


PCK, PCP, OCCLUDED = 'TorsoPCK@0.2', 'StrictPCP@0.5', 'occluded TorsoPCK@0.2'
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
    Comparison('pretrained-hybrid', 'pretrained-single-task', 'structure on top of pretraining'),
    Comparison('pretrained-hybrid', 'pretrained', 'structure, another head and another loss on top of pretraining'),
)
