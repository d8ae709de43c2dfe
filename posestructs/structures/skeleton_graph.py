"""Skeleton of a data set as a graph, and its spanning tree; skeletons made for drawing often have cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from posestructs.structures import tree_checks as checks


class SkeletonGraph(NamedTuple):
    """Joints of a data set and the links between them."""

    names: tuple[str, ...]  # K
    links: tuple[tuple[int, int], ...]
    mirror: tuple[int, ...]  # K
    source: str  # for messages


def skeleton_graph(metainfo: Mapping[str, Any]) -> SkeletonGraph:
    """Read joints, links and left-right partners of a data set.

    Args:
        metainfo: Metainfo, raw (``keypoint_info``, ``skeleton_info``) or as parsed by mmpose
            (``keypoint_id2name``, ``skeleton_links``, ``flip_indices``), or ``dict(from_file=path)``.

    Returns:
        SkeletonGraph: The graph.

    Raises:
        TypeError: ``metainfo`` is not a dict.
        ValueError: It lacks a key, a link names an unknown joint, or mirror images do not lead back to each other.
        FileNotFoundError: The file does not exist.
    """
    if not isinstance(metainfo, Mapping):
        raise TypeError(f'metainfo={metainfo!r}, allowed: a dict')
    if 'from_file' in metainfo:
        from posestructs.structures.metainfo import raw_metainfo  # other trees do not need mmpose

        metainfo = raw_metainfo(metainfo)
    source = f'metainfo {metainfo["dataset_name"]!r}' if 'dataset_name' in metainfo else 'metainfo'
    if {'keypoint_info', 'skeleton_info'} <= set(metainfo):
        graph = _as_written(metainfo, source)
    elif {'keypoint_id2name', 'skeleton_links', 'flip_indices'} <= set(metainfo):
        names = tuple(metainfo['keypoint_id2name'][k] for k in range(len(metainfo['keypoint_id2name'])))
        links = tuple((int(a), int(b)) for a, b in metainfo['skeleton_links'])
        graph = SkeletonGraph(names, links, tuple(map(int, metainfo['flip_indices'])), source)
    else:
        raise ValueError(f'{source} has the keys {sorted(metainfo)}, required: keypoint_info and skeleton_info')
    checks.check_names(f'{source}: joints', graph.names)
    try:
        checks.check_mirror(graph.names, graph.mirror)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    return graph


def _as_written(metainfo: Mapping[str, Any], source: str) -> SkeletonGraph:
    joints, links = (_entries(metainfo, key, source) for key in ('keypoint_info', 'skeleton_info'))
    joints = [joints[key] for key in sorted(joints, key=lambda key: joints[key].get('id', key))]
    names = tuple(joint.get('name') for joint in joints)
    checks.check_names(f'{source}: names of keypoint_info', names)
    index = {name: k for k, name in enumerate(names)}
    links = tuple(_link(link.get('link'), index, f'{source}: skeleton_info[{i}].link') for i, link in links.items())
    mirror = tuple(
        checks.known(joint.get('swap') or joint['name'], index, f'{source}: swap of {joint["name"]!r}', 'joint')
        for joint in joints
    )
    return SkeletonGraph(names, links, mirror, source)


def _entries(metainfo: Mapping[str, Any], key: str, source: str) -> Mapping[Any, Mapping[str, Any]]:
    entries = metainfo[key]
    if not isinstance(entries, Mapping) or not all(isinstance(entry, Mapping) for entry in entries.values()):
        raise ValueError(f'{source}: {key}={entries!r}, allowed: a dict of dicts by number')
    return entries


def _link(link: Any, index: Mapping[str, int], where: str) -> tuple[int, int]:
    if not isinstance(link, (list, tuple)) or len(link) != 2:
        raise ValueError(f'{where}={link!r}, allowed: two joints')
    return tuple(checks.known(name, index, where, 'joint') for name in link)


def spanning_tree(graph: SkeletonGraph, root: str | None = None) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Find the breadth-first spanning tree of a skeleton.

    Args:
        graph: K joints and their links.
        root: Name of the root. By default a joint at the least distance from its farthest one, on the body's axis if
            there are joints on it.

    Returns:
        tuple: Parent of each joint, -1 for the root; the links that are not in the tree.

    Raises:
        ValueError: The graph is not connected, or has no such root.
    """
    neighbours = _neighbours(graph)
    distances = [_distances(neighbours, k) for k in range(len(graph.names))]
    if len(distances[0]) < len(graph.names):
        raise ValueError(_components(graph, distances))
    if root is None:
        start = _centre(graph, distances)
    else:
        start = checks.known(root, {name: k for k, name in enumerate(graph.names)}, 'root', 'joint')
    parents = _parents(graph, neighbours, distances[start])
    kept = {frozenset((child, parent)) for child, parent in enumerate(parents)}
    dropped = dict.fromkeys(link for link in graph.links if frozenset(link) not in kept and link[0] != link[1])
    return parents, tuple(dropped)


def _neighbours(graph: SkeletonGraph) -> list[list[int]]:
    """Neighbours of each joint, in the order of the links."""
    found: list[list[int]] = [[] for _ in graph.names]
    for a, b in graph.links:
        if a != b and b not in found[a]:
            found[a].append(b)
            found[b].append(a)
    return found


def _distances(neighbours: list[list[int]], start: int) -> dict[int, int]:
    """Number of links to each joint that can be reached, in breadth-first order."""
    distances, queue = {start: 0}, [start]
    for joint in queue:
        for other in neighbours[joint]:
            if other not in distances:
                distances[other] = distances[joint] + 1
                queue.append(other)
    return distances


def _components(graph: SkeletonGraph, distances: list[dict[int, int]]) -> str:
    groups = dict.fromkeys(tuple(sorted(reached)) for reached in distances)
    listed = '; '.join('[' + ', '.join(graph.names[k] for k in group) + ']' for group in groups)
    return f'{graph.source}: the skeleton is not connected, a tree must be. Its {len(groups)} components: {listed}'


def _centre(graph: SkeletonGraph, distances: list[dict[int, int]]) -> int:
    axis = [k for k, image in enumerate(graph.mirror) if image == k] or range(len(graph.names))
    return min(axis, key=lambda k: max(distances[k].values()))


def _parents(graph: SkeletonGraph, neighbours: list[list[int]], distances: dict[int, int]) -> tuple[int, ...]:
    parents = dict.fromkeys(distances, -1)
    for joint, distance in distances.items():
        nearer = [other for other in neighbours[joint] if distances[other] == distance - 1]
        if nearer:
            # of several, the mirror image of the parent of the joint's mirror image, else one that can be mirrored
            image = graph.mirror[joint]
            partners = graph.mirror[parents[image]] if parents[image] >= 0 else None
            mirrored = [other for other in nearer if graph.mirror[other] in neighbours[image]]
            own = [other for other in mirrored if image != joint or graph.mirror[other] == other]
            parents[joint] = partners if partners in nearer else (own or mirrored or nearer)[0]
    return tuple(parents[k] for k in range(len(graph.names)))
