"""Convert everything that belongs to joints when a ``KeypointConverter`` reorders, drops or merges them.

A ``mapping`` is that of mmpose's ``KeypointConverter``: pairs of a source joint, or two source joints whose mean is
taken, and a target joint. :func:`convert_joint_fields` is the one place where flip indices, upper and lower body,
weights, sigmas, colours, links, names, sticks, torso and joint groups follow the joints; samples in a pipeline,
``metainfo`` of a data set, the exporter and the inferencer all use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from posestructs.utils.checks import check_integer, invalid_value, is_integer

Sources = list[tuple[int, ...]]


def joint_sources(num_keypoints: int, mapping: Iterable[Sequence]) -> Sources:
    """List the source joints of each target joint.

    Args:
        num_keypoints: Number of target joints.
        mapping: Pairs (source or two sources, target).

    Returns:
        Sorted source joints for each target joint, empty for a target that nothing is mapped to.

    Raises:
        ValueError: ``num_keypoints`` is not a positive integer, an entry is not such a pair, or a target is out of
            range.
    """
    check_integer('KeypointConverter.num_keypoints', num_keypoints, low=1)
    sources: Sources = [()] * num_keypoints
    for i, entry in enumerate(mapping):
        source, target = _check_entry(f'KeypointConverter.mapping[{i}]', entry)
        if not 0 <= target < num_keypoints:
            raise ValueError(f'KeypointConverter.mapping has target {target}, allowed: 0 to {num_keypoints - 1}')
        sources[target] = tuple(sorted(set(source)))
    return sources


def _check_entry(key: str, entry: Any) -> tuple[tuple[int, ...], int]:
    """Sources and target of an entry of a mapping."""
    if isinstance(entry, (list, tuple)) and len(entry) == 2:
        source, target = entry
        sources = tuple(source) if isinstance(source, (list, tuple)) else (source,)
        count = 2 if isinstance(source, (list, tuple)) else 1
        if len(sources) == count and all(map(is_integer, (*sources, target))):
            return sources, target
    raise invalid_value(key, entry, '(source, target) or ((source, source), target), integers')


def convert_joint_fields(fields: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """Convert the fields of a sample or of parsed metainfo to the target joints.

    A target joint is the mirror image of another if their sources are. A target whose mirror image is no target keeps
    its own index in ``flip_indices`` and is listed in ``unpaired_joints``: a flip would give it a wrong label. A joint
    between two others belongs to the upper or lower body if both do, and takes the mean of their weights and sigmas. A
    target without a source has weight 0. Links, sticks, torso and groups stay where all of their joints do.

    Args:
        fields: Sample or metainfo. Only keys that it has are converted.
        sources: Source joints of each target joint, as :func:`joint_sources` lists them.

    Returns:
        The converted fields alone, and ``unpaired_joints`` where there are ``flip_indices``.
    """
    target_of = {joints: target for target, joints in reversed(list(enumerate(sources))) if joints}
    out: dict[str, Any] = {}
    if fields.get('flip_indices') is not None:
        mirrors = [_mirror(i, joints, fields['flip_indices'], target_of) for i, joints in enumerate(sources)]
        flip = [i if mirror is None else mirror for i, mirror in enumerate(mirrors)]
        out |= {'flip_indices': flip, 'unpaired_joints': [i for i, mirror in enumerate(mirrors) if mirror is None]}
        if fields.get('flip_pairs') is not None:
            out['flip_pairs'] = [(j, i) for i, j in enumerate(flip) if i != j]
    for key in ('upper_body_ids', 'lower_body_ids'):
        if fields.get(key) is not None:
            members = set(fields[key])
            out[key] = [i for i, joints in enumerate(sources) if joints and members.issuperset(joints)]
    out |= _convert_values(fields, sources)
    if fields.get('skeleton_links') is not None:
        out |= _convert_links(fields, target_of)
    if fields.get('keypoint_id2name') is not None:
        out |= _convert_names(fields, sources)
    return out


def convert_metainfo(metainfo: Mapping[str, Any], num_keypoints: int, mapping: Iterable[Sequence]) -> dict[str, Any]:
    """Convert parsed metainfo to the joints that a ``KeypointConverter`` makes.

    Args:
        metainfo: Metainfo as mmpose parses it.
        num_keypoints: Number of target joints.
        mapping: Pairs (source or two sources, target).

    Returns:
        Metainfo of the target joints. A joint keeps its source's name; one between two others is named after both,
        one without a source ``unmapped_<index>``.

    Raises:
        ValueError: The mapping names a joint that the metainfo does not have.
    """
    sources = joint_sources(num_keypoints, mapping)
    check_sources(sources, metainfo['num_keypoints'])
    kept = {k: v for k, v in metainfo.items() if k not in ('sticks', 'torso_pair', 'joint_groups', 'unpaired_joints')}
    return {**kept, **convert_joint_fields(metainfo, sources)}


def pipeline_metainfo(metainfo: Mapping[str, Any], pipeline: Iterable[Any]) -> dict[str, Any]:
    """Convert metainfo by every ``KeypointConverter`` of a pipeline, in order.

    Args:
        metainfo: Metainfo of the joints before the pipeline, as mmpose parses it.
        pipeline: Transforms, or their configs.

    Returns:
        Metainfo of the joints behind the pipeline; a plain copy where no step converts joints.

    Raises:
        ValueError: A mapping names a joint that does not exist at its place of the pipeline.
    """
    for step in pipeline:
        arguments = _converter_arguments(step)
        if arguments is not None:
            metainfo = convert_metainfo(metainfo, *arguments)
    return dict(metainfo)


def convert_coco_keypoints(keypoints: Sequence[float], sources: Sources) -> list[float]:
    """Convert the joints of a COCO annotation.

    Args:
        keypoints: x, y and flag of each source joint.
        sources: Source joints of each target joint.

    Returns:
        x, y and flag of each target joint. One between two others is labelled if both are, and occluded (1) if one is.
    """
    joints = np.reshape(np.asarray(keypoints, dtype=np.float64), (-1, 3))
    rows = [joints[list(own)] if own else np.zeros((1, 3)) for own in sources]
    out = [(*row[:, :2].mean(axis=0), row[:, 2].min()) if row[:, 2].all() else (0, 0, 0) for row in rows]
    return [float(value) for target in out for value in target]


def check_sources(sources: Sources, num_joints: int) -> None:
    """Refuse a mapping from joints that do not exist.

    Args:
        sources: Source joints of each target joint.
        num_joints: Number of source joints.

    Raises:
        ValueError: A source is out of range.
    """
    for target, joints in enumerate(sources):
        for joint in joints:
            if not 0 <= joint < num_joints:
                raise ValueError(
                    f'KeypointConverter.mapping takes joint {target} from joint {joint}, allowed: 0 to '
                    f'{num_joints - 1}, the joints at this place of the pipeline'
                )


def _converter_arguments(step: Any) -> tuple[int, Any] | None:
    if not isinstance(step, Mapping):
        names = {cls.__name__ for cls in type(step).__mro__}
        return (step.num_keypoints, step.mapping) if 'KeypointConverter' in names else None
    kind = step.get('type')
    name = kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', '')
    return (step['num_keypoints'], step['mapping']) if name == 'KeypointConverter' else None


def _mirror(own: int, joints: tuple[int, ...], flip: Sequence[int], target_of: Mapping[tuple, int]) -> int | None:
    mirrored = tuple(sorted(flip[joint] for joint in joints))
    return own if mirrored == joints else target_of.get(mirrored)


def _convert_values(fields: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """Values per joint: mean of the sources for weights and sigmas, the first source's colour."""
    out: dict[str, Any] = {'num_keypoints': len(sources)} if 'num_keypoints' in fields else {}
    for key in ('dataset_keypoint_weights', 'sigmas', 'keypoint_colors'):
        if fields.get(key) is None:
            continue
        values = np.asarray(fields[key])
        # a joint without a source has no labels: weight 0, and a sigma that only must not be 0
        empty = np.zeros_like(values[0]) if key == 'dataset_keypoint_weights' else values.mean(axis=0)
        pick = (lambda v: v[0]) if key == 'keypoint_colors' else (lambda v: v.mean(axis=0))
        rows = [pick(values[list(joints)]) if joints else empty for joints in sources]
        out[key] = np.array(rows, dtype=values.dtype)
    return out


def _convert_links(fields: Mapping[str, Any], target_of: Mapping[tuple[int, ...], int]) -> dict[str, Any]:
    kept = [i for i, link in enumerate(fields['skeleton_links']) if all((joint,) in target_of for joint in link)]
    links = [tuple(target_of[(joint,)] for joint in fields['skeleton_links'][i]) for i in kept]
    out: dict[str, Any] = {'skeleton_links': links}
    if 'num_skeleton_links' in fields:
        out['num_skeleton_links'] = len(links)
    if fields.get('skeleton_link_colors') is not None:
        out['skeleton_link_colors'] = np.asarray(fields['skeleton_link_colors'])[np.array(kept, dtype=int)]
    return out


def _convert_names(fields: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    old = fields['keypoint_id2name']
    names: list[str] = []
    for target, joints in enumerate(sources):
        name = '+'.join(old[joint] for joint in joints) or f'unmapped_{target}'
        names.append(f'{name}_{target}' if name in names else name)
    # sources of a name, so that an end that is a mean of joints finds the joint between them
    known = {frozenset(old[joint] for joint in joints): names[t] for t, joints in enumerate(sources) if joints}
    out: dict[str, Any] = {
        'keypoint_id2name': dict(enumerate(names)),
        'keypoint_name2id': {name: i for i, name in enumerate(names)},
    }
    if fields.get('torso_pair') and set(fields['torso_pair']) <= set(names):
        out['torso_pair'] = tuple(fields['torso_pair'])
    if fields.get('sticks'):
        converted = [dict(s, ends=tuple(_end(end, names, known) for end in s['ends'])) for s in fields['sticks']]
        sticks = [stick for stick in converted if None not in stick['ends']]
        out |= {'sticks': sticks} if sticks else {}
    if fields.get('joint_groups'):
        groups = {name: [j for j in joints if j in names] for name, joints in fields['joint_groups'].items()}
        out['joint_groups'] = {name: joints for name, joints in groups.items() if joints}
    return out


def _end(end: str | Sequence[str], names: Sequence[str], known: Mapping[frozenset[str], str]) -> Any:
    """End of a stick in the new names, None where a joint of it is gone."""
    joints = (end,) if isinstance(end, str) else tuple(end)
    if set(joints) <= set(names):
        return end if isinstance(end, str) else joints
    return known.get(frozenset(joints))
