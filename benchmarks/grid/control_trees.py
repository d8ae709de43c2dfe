"""Trees without anatomical meaning, over the parts of a given tree: controls for the effect of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posestructs.structures import KinematicTree, build_tree


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
