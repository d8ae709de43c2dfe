"""Rows of the accuracy benchmark: models, and trees that serve as controls for the effect of messages.

Rows of a grid differ in the model alone: data, images, schedule and seeds are the grid's. ``{data}`` in the path of a
config stands for the data set's part of the file name, such as ``stick-figure-64x64``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmengine.config import Config

from posestructs.layers.message_kernels import transform_layers
from posestructs.structures import KinematicTree, build_tree

PCK, PCP = 'TorsoPCK@0.2', 'StrictPCP@0.5'
INVERTED = 'inversions'
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
        vary: Further changes, computed from the config with ``changes`` and the seed of the run.
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
    vary: Callable[[Config, int], Mapping[str, Any]] | None = None
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


# -- control trees -----------------------------------------------------------------------------------------------------


def shuffled(tree: KinematicTree, seed: int) -> dict[str, Any]:
    """Config of a tree of the same shape with randomly permuted parts, so that the degrees are the same."""
    order = np.random.default_rng(seed).permutation(tree.num_parts)
    parents = [-1] * tree.num_parts
    for part, parent in enumerate(tree.parents):
        parents[order[part]] = -1 if parent < 0 else int(order[parent])
    return with_parents(tree, parents)


def star(tree: KinematicTree) -> dict[str, Any]:
    """Config of a tree whose parts are all children of the root."""
    root = tree.parents.index(-1)
    return with_parents(tree, [-1 if part == root else root for part in range(tree.num_parts)])


def chain(tree: KinematicTree) -> dict[str, Any]:
    """Config of a tree in which each part is the child of the part before it."""
    return with_parents(tree, list(range(-1, tree.num_parts - 1)))


def with_parents(tree: KinematicTree, parents: Sequence[int]) -> dict[str, Any]:
    """Config of a tree with other parents; parts, joints and mirror images stay."""
    weights = {
        name: {joint: float(weight) for joint, weight in zip(tree.joints, row, strict=True) if weight}
        for name, row in zip(tree.names, tree.weights, strict=True)
        if name not in tree.joints
    }
    mirror = [int(part) for part in tree.mirror]
    return dict(names=list(tree.names), parents=list(parents), mirror=mirror, joints=list(tree.joints), weights=weights)


def control_trees(cfg: Mapping[str, Any], seed: int = 0) -> dict[str, dict[str, Any]]:
    """Configs of the control trees of a tree, by name.

    Args:
        cfg: Config of the tree.
        seed: Seed of the shuffled tree.
    """
    tree = build_tree(cfg)
    return dict(shuffled=shuffled(tree, seed), star=star(tree), chain=chain(tree))


# -- rows --------------------------------------------------------------------------------------------------------------

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
# -- controls for the effect of messages -------------------------------------------------------------------------------


def _with_tree(change: Callable[[KinematicTree, int], dict[str, Any]]) -> Callable[[Config, int], dict[str, Any]]:
    """Changes that replace the tree of a config's neck everywhere."""

    def vary(cfg: Config, seed: int) -> dict[str, Any]:
        neck = cfg.model.neck
        tree = neck.tree if 'tree' in neck else neck.necks[-1].tree
        return {EVERYWHERE: dict(tree=change(build_tree(tree), seed))}

    return vary


def _of_equal_cost(cfg: Config, seed: int) -> dict[str, Any]:
    """No messages, and parts as wide as the multiply-adds of the messages allow."""
    neck = cfg.model.neck
    tree = build_tree(neck.tree)
    channels = neck.part_channels
    layers, _ = transform_layers(neck.get('preset'), neck.get('transform'), channels)
    message, given = 0, channels
    for layer in layers:
        message += given * layer.channels * layer.kernel_size[0] * layer.kernel_size[1]
        given = layer.channels
    # fc7 reads the map for all parts, W reads the parts of joints; both grow with the channels of a part
    of_channel = 2 * neck.in_channels * (tree.num_parts + len(tree.joints))
    wider = channels + round(2 * len(tree.edges) * message / of_channel)
    return {'model.neck.direction': 'none', 'model.neck.part_channels': wider}


# kernels of 13 cells over a single channel: a few percent of the multiply-adds in maps of 32x32
_LIGHT = [dict(channels=1, kernel_size=size) for size in (1, (13, 1), (1, 13))] + [dict(channels=16, kernel_size=1)]
# kernels of 13 cells over all channels: a sixth of the multiply-adds in maps of 20x20
_HEAVY = [dict(channels=16, kernel_size=size) for size in (1, (13, 1), (1, 13), 1)]
MAPS = 'configs/hybrid/apn-tree_2x56_{data}.py'
_NO_DISCRIMINATORS = {'model.discriminators': None, 'optim_wrapper.pose': None, 'optim_wrapper.confidence': None}

_SHUFFLED, _STAR, _CHAIN = (_with_tree(change) for change in (shuffled, lambda t, _: star(t), lambda t, _: chain(t)))
_WIDE = {f'model.{key}': 72 for key in ('backbone.channels', 'neck.in_channels', 'head.shared_channels')}
_160 = {key: 160 for key in _WIDE}

STRUCTURE_ROWS: tuple[Row, ...] = (
    Row('tree-shuffled', 'shuffled tree, messages both ways', TREE + '.py', vary=_SHUFFLED),
    Row('tree-star', 'star tree, messages both ways', TREE + '.py', vary=_STAR),
    Row('tree-chain', 'chain tree, messages both ways', TREE + '.py', vary=_CHAIN),
    Row('tree-none-wide', 'tree, no messages, 72 channels', TREE + '_none.py', _WIDE),
    Row('tree-self', 'tree, messages of each part to itself', TREE + '.py', {'model.neck.direction': 'self'}),
    Row('tree-light', 'tree, messages over one channel', TREE + '.py', {'model.neck.transform': _LIGHT}),
    Row('tree-none-160', 'tree, no messages, 160 channels', TREE + '_none.py', _160),
    Row('maps-true', 'heatmaps, messages both ways', MAPS, _NO_DISCRIMINATORS),
    Row('maps-shuffled', 'heatmaps, shuffled tree', MAPS, _NO_DISCRIMINATORS, vary=_SHUFFLED),
    Row('maps-self', 'heatmaps, messages to itself', MAPS, {**_NO_DISCRIMINATORS, 'model.neck.direction': 'self'}),
)
SMALL_MAP_ROWS: tuple[Row, ...] = (
    Row('tree-heavy', 'tree, messages with a sixth of the cost', TREE + '.py', {'model.neck.transform': _HEAVY}),
    Row('tree-none-discless', 'tree, no messages, no cells ignored', TREE + '_none.py'),
    Row('tree-both-discless', 'tree, messages both ways, no cells ignored', TREE + '.py'),
)

STRONG = 'configs/hybrid/td-tree_movenet-lightning_{data}.py'
_FLIP = {'model.test_cfg.flip_test': True}
STRONG_ROWS: tuple[Row, ...] = (
    Row('strong-true', 'MoveNet, messages both ways', STRONG, _FLIP),
    Row('strong-shuffled', 'MoveNet, shuffled tree', STRONG, _FLIP, vary=_SHUFFLED),
    Row('strong-none', 'MoveNet, no messages', STRONG, {**_FLIP, 'model.neck.direction': 'none'}),
    Row('strong-self', 'MoveNet, messages of each part to itself', STRONG, {**_FLIP, 'model.neck.direction': 'self'}),
    Row('strong-wide', 'MoveNet, no messages, equal cost', STRONG, _FLIP, vary=_of_equal_cost),
    Row('strong-star', 'MoveNet, star tree', STRONG, _FLIP, vary=_STAR),
    Row('strong-chain', 'MoveNet, chain tree', STRONG, _FLIP, vary=_CHAIN),
    Row(
        'strong-chow-liu',
        'MoveNet, tree of highest mutual information',
        STRONG,
        {**_FLIP, EVERYWHERE: dict(tree=dict(from_file='lsp-14_chow-liu.py'))},
    ),
)

IMAGENET = 'configs/hybrid/apn-tree_efficientnet-lite0_{data}_single-task.py'
_NECK = 'model.neck.necks.2'
IMAGENET_ROWS: tuple[Row, ...] = (
    Row('imagenet-true', 'ImageNet, messages both ways', IMAGENET),
    Row('imagenet-shuffled', 'ImageNet, shuffled tree', IMAGENET, vary=_SHUFFLED),
    Row('imagenet-self', 'ImageNet, messages of each part to itself', IMAGENET, {f'{_NECK}.direction': 'self'}),
    Row('imagenet-none', 'ImageNet, no messages', IMAGENET, {f'{_NECK}.direction': 'none'}),
)
_ALL = (*ROWS, *STRUCTURE_ROWS, *SMALL_MAP_ROWS, *STRONG_ROWS, *IMAGENET_ROWS)
BY_NAME: Mapping[str, Row] = {row.name: row for row in _ALL}
