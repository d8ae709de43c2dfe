"""Kinematic tree: a body as a tree of named parts.

A **joint** is labelled by a data set; a **part** has maps in a model. Every joint is a part. Virtual parts are made of
joints, such as the midpoints of limbs that structured feature learning (Chu et al., CVPR 2016) adds.

Shapes: V parts, K joints.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from mmengine.logging import print_log

from posestructs.structures import tree_checks as checks
from posestructs.structures.skeleton_graph import skeleton_graph, spanning_tree


@dataclass(frozen=True, eq=False, repr=False)
class KinematicTree:
    """Parts, their parents, their mirror images, and the joints that they are made of; immutable.

    Build it with :meth:`from_parents`, :meth:`from_metainfo`, or ``build_tree`` from a config. Two trees are equal if
    all of this is equal, however they were built.

    Args:
        names: Names of the V parts, in the order of all maps.
        parents: Index of the parent of each part, -1 for the root.
        mirror: Index of the part that each part becomes when the image is flipped; its own on the body's axis.
        joints: Names of the K joints, in the order of the data set.
        weights: (V, K) weights that make parts of joints, ``part = weights @ joints``. Rows sum to 1; the part of a
            joint has weight 1 there.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: The values do not form a tree; names the part and the reason.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    mirror: tuple[int, ...]
    joints: tuple[str, ...]
    weights: np.ndarray

    def __post_init__(self) -> None:
        checks.check_names('names', self.names)
        checks.check_names('joints', self.joints)
        checks.check_parents(self.names, self.parents)
        checks.check_mirror(self.names, self.mirror)
        checks.check_part_weights(self.names, self.joints, self.weights)
        weights = np.array(self.weights, dtype=np.float64)
        weights.setflags(write=False)
        values = dict(
            names=tuple(self.names),
            parents=tuple(map(int, self.parents)),
            mirror=tuple(map(int, self.mirror)),
            joints=tuple(self.joints),
            weights=weights,
        )
        for key, value in values.items():
            object.__setattr__(self, key, value)

    # -- constructors -----------------------------------------------------------------------------------------------

    @classmethod
    def from_parents(
        cls,
        names: Sequence[str],
        parents: Sequence[int | str | None],
        mirror: Mapping[str, str] | Sequence | None = None,
        joints: Sequence[str] | None = None,
        weights: np.ndarray | Mapping[str, Mapping[str, float]] | None = None,
    ) -> KinematicTree:
        """Build a tree from a list of parents.

        Args:
            names: Names of the V parts.
            parents: Index or name of the parent of each part, -1 or None for the root.
            mirror: Pairs of parts, ``[('left_knee', 'right_knee'), ...]``, or the same as a dict, or V indices. Parts
                without a partner are their own mirror images, by default all.
            joints: Names of the K joints, in the order of the data set. By default all parts that ``weights`` does not
                make of others, in their order.
            weights: Weights of the virtual parts, ``{'right_forearm': {'right_elbow': 0.5, 'right_wrist': 0.5}}``, or a
                (V, K) array.

        Returns:
            KinematicTree: The tree.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: The values do not form a tree.
        """
        checks.check_names('names', names)
        index = {name: i for i, name in enumerate(names)}
        virtual = weights if isinstance(weights, Mapping) else {}
        if joints is None:
            joints = [name for name in names if name not in virtual]
        checks.check_names('joints', joints)
        return cls(
            tuple(names),
            checks.parent_indices(names, parents, index),
            checks.mirror_indices(names, mirror, index),
            tuple(joints),
            checks.weight_matrix(names, joints, virtual) if weights is None or virtual is weights else weights,
        )

    @classmethod
    def from_metainfo(cls, metainfo: Mapping[str, Any], root: str | None = None) -> KinematicTree:
        """Build the breadth-first spanning tree of a data set's skeleton, whose parts are the joints.

        Of two links that lead to a joint at the same distance, the tree keeps the one that makes it symmetric, else the
        earlier one. Links that are left out (a tree has no cycles) are logged.

        Args:
            metainfo: Metainfo of a data set, raw or as parsed by mmpose, or ``dict(from_file=path)``.
            root: Name of a joint. By default the one whose farthest joint is nearest, among those on the body's axis
                (their own mirror images) if there are any.

        Returns:
            KinematicTree: The tree.

        Raises:
            ValueError: The skeleton is not connected (lists its components), or has no such root.
            FileNotFoundError: The file does not exist.
        """
        graph = skeleton_graph(metainfo)
        parents, dropped = spanning_tree(graph, root)
        if dropped:
            names = ', '.join(f'{graph.names[a]} - {graph.names[b]}' for a, b in dropped)
            _log_once(
                f'{graph.source}: {len(dropped)} of {len(graph.links)} links of the skeleton are not in the tree from '
                f'{graph.names[parents.index(-1)]}: {names}'
            )
        return cls(graph.names, parents, graph.mirror, graph.names, np.eye(len(graph.names)))

    # -- derived properties -----------------------------------------------------------------------------------------

    @property
    def num_parts(self) -> int:
        """Number of parts, V."""
        return len(self.names)

    @property
    def num_joints(self) -> int:
        """Number of joints, K."""
        return len(self.joints)

    @cached_property
    def root(self) -> int:
        """Index of the part without a parent."""
        return self.parents.index(-1)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Children of each part, in ascending order."""
        return tuple(tuple(c for c, p in enumerate(self.parents) if p == v) for v in range(self.num_parts))

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """V - 1 pairs (child, parent), in the order of the children."""
        return tuple((c, p) for c, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Parts by their distance from the root: ``levels[d]`` are those at d links, in ascending order."""
        return checks.tree_levels(self.parents)

    @cached_property
    def depth(self) -> tuple[int, ...]:
        """Number of links between each part and the root."""
        found = {v: d for d, level in enumerate(self.levels) for v in level}
        return tuple(found[v] for v in range(self.num_parts))

    @cached_property
    def joint_parts(self) -> tuple[int, ...]:
        """Index of the part of each joint."""
        return tuple(self.names.index(joint) for joint in self.joints)

    @cached_property
    def asymmetries(self) -> tuple[str, ...]:
        """Parts whose mirror image has another parent than the mirror image of their parent, or is not made of the
        mirror images of their joints."""
        return tuple(
            self.names[v]
            for v, image in enumerate(self.mirror)
            if self._differs_in_parent(v, image) or self._differs_in_joints(v, image)
        )

    def _differs_in_parent(self, v: int, image: int) -> bool:
        parent = self.parents[v]
        return self.parents[image] != (parent if parent < 0 else self.mirror[parent])

    def _differs_in_joints(self, v: int, image: int) -> bool:
        def parts_of(u: int) -> dict[int, float]:
            return {self.joint_parts[k]: float(self.weights[u, k]) for k in np.flatnonzero(self.weights[u])}

        mirrored = {self.mirror[part]: weight for part, weight in parts_of(v).items()}
        return parts_of(image) != mirrored

    @property
    def symmetric(self) -> bool:
        """True if the tree is its own mirror image, so that offsets between parts can be mirrored."""
        return not self.asymmetries

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the tree, the same on every machine."""
        content = [self.names, self.parents, self.mirror, self.joints, np.round(self.weights, 9).tolist()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return self.fingerprint == other.fingerprint if isinstance(other, KinematicTree) else NotImplemented

    def __repr__(self) -> str:
        return f'KinematicTree({self.num_parts} parts, {self.num_joints} joints, root {self.names[self.root]!r})'

    def __reduce__(self) -> tuple:
        # rebuilt by the constructor, since a pickled array would come back writeable
        return type(self), (self.names, self.parents, self.mirror, self.joints, self.weights)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    # -- poses -----------------------------------------------------------------------------------------------------

    def part_positions(self, keypoints: np.ndarray, visible: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Compute the positions of parts from joints.

        Args:
            keypoints: (..., K, 2) joints, in any unit.
            visible: (..., K) weights, above 0 where a joint is labelled; by default all are labelled.

        Returns:
            tuple[np.ndarray, np.ndarray]: (..., V, 2) positions in the same unit and float type, 0 where not labelled;
            (..., V) bool mask of the labelled parts, those whose joints are all labelled.

        Raises:
            ValueError: The shapes do not fit.
        """
        keypoints = np.asarray(keypoints)
        labelled = np.ones(keypoints.shape[:-1], bool) if visible is None else np.asarray(visible) > 0
        if keypoints.shape[-2:] != (self.num_joints, 2) or labelled.shape != keypoints.shape[:-1]:
            raise ValueError(
                f'keypoints.shape={keypoints.shape} and visible.shape={labelled.shape}, allowed for the '
                f'{self.num_joints} joints of the tree: (..., {self.num_joints}, 2) and (..., {self.num_joints})'
            )
        # an unlabelled joint may hold anything, including NaN
        known = np.where(labelled[..., None], keypoints, 0)
        # p_v = sum_k w_vk p_k
        positions = np.einsum('vk,...kc->...vc', self.weights, known)
        part_labelled = ~np.einsum('vk,...k->...v', self.weights != 0, ~labelled)
        positions = np.where(part_labelled[..., None], positions, 0)
        return positions.astype(np.result_type(keypoints.dtype, np.float32), copy=False), part_labelled


@lru_cache
def _log_once(message: str) -> None:
    """Log a message once, although neck, head and codec each build the tree."""
    print_log(message, logger='current', level=logging.INFO)
