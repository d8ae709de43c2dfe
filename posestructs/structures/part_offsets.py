"""Offsets of parts to their parents.

Shapes: V parts, ``...`` persons.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from posestructs.structures.kinematic_tree import KinematicTree


@lru_cache
def reference_matrix(tree: KinematicTree) -> np.ndarray:
    """Reference points of the parts' offsets, as weights of the parts: the parent of each.

    The reference of the root is the mean of a child and the child's mirror image. The child is the first one on the
    body's axis (its own mirror image), else the first. The reference of a root without children is the root itself.

    Args:
        tree: Tree of V parts.

    Returns:
        np.ndarray: (V, V) weights, ``reference = matrix @ positions``; rows sum to 1.
    """
    matrix = np.zeros((tree.num_parts, tree.num_parts))
    for child, parent in tree.edges:
        matrix[child, parent] = 1
    children = sorted(tree.children[tree.root], key=lambda c: tree.mirror[c] != c)
    for child in children[:1] or [tree.root]:
        matrix[tree.root, child] += 0.5
        matrix[tree.root, tree.mirror[child]] += 0.5
    matrix.setflags(write=False)
    return matrix


def relative_offsets(tree: KinematicTree, positions: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of parts to their parents (:func:`reference_matrix`).

    Args:
        tree: Tree of V parts.
        positions: (..., V, 2) positions in any unit.
        labelled: (..., V) bool mask of the labelled parts.

    Returns:
        tuple[np.ndarray, np.ndarray]: (..., V, 2) float64 offsets in the same unit, 0 where unknown; (..., V) bool mask
        of the known ones, where the part and its reference are labelled.

    Raises:
        ValueError: The shapes do not fit.
    """
    positions, labelled = np.asarray(positions, dtype=np.float64), np.asarray(labelled, dtype=bool)
    if positions.shape[-2:] != (tree.num_parts, 2) or labelled.shape != positions.shape[:-1]:
        raise ValueError(
            f'positions.shape={positions.shape} and labelled.shape={labelled.shape}, allowed for the {tree.num_parts} '
            f'parts of the tree: (..., {tree.num_parts}, 2) and (..., {tree.num_parts})'
        )
    matrix = reference_matrix(tree)
    positions = np.where(labelled[..., None], positions, 0)
    known = labelled & ~np.einsum('vu,...u->...v', matrix != 0, ~labelled)
    # offset_k = p_k - p_parent(k)
    offsets = positions - np.einsum('vu,...uc->...vc', matrix, positions)
    return np.where(known[..., None], offsets, 0), known


def check_symmetric(tree: KinematicTree) -> None:
    """Refuse a tree whose types cannot be mirror images of each other.

    Args:
        tree: Tree of parts.

    Raises:
        ValueError: It is not symmetric; names the first such part.
    """
    for name in tree.asymmetries:
        v = tree.names.index(name)
        image = tree.mirror[v]
        parent, images_parent = (tree.names[p] if p >= 0 else None for p in (tree.parents[v], tree.parents[image]))
        raise ValueError(
            f'types need a tree that is its own mirror image: {name!r} has the parent {parent!r} and is made of '
            f'{_made_of(tree, v)}, but its mirror image {tree.names[image]!r} has {images_parent!r} and is made of '
            f'{_made_of(tree, image)}'
        )


def _made_of(tree: KinematicTree, v: int) -> dict[str, float]:
    return {joint: float(weight) for joint, weight in zip(tree.joints, tree.weights[v], strict=True) if weight}
