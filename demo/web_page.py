"""Results that the demo's page shows: functions from an image to drawn images and tables, without a server.

Shapes: P persons, K joints, H x W pixels of the image, h x w cells of a map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from posestructs.apis.boxes import LARGEST, is_outside
from posestructs.apis.pose_inferencer import PoseInferencer
from posestructs.models.heads import PartScoreHead
from posestructs.models.necks import TreeMessagePassing
from posestructs.utils.usage import UsageError
from posestructs.visualization.browsing import to_rgb
from posestructs.visualization.heatmap_sheet import heatmap_sheet
from posestructs.visualization.message_drawing import draw_messages, part_maps
from posestructs.visualization.message_trace import trace_messages
from posestructs.visualization.pose_drawing import enlarge

COLUMNS = ('person', 'joint', 'x', 'y', 'score', 'occluded')
_TILE = 192  # longer side of a joint's map
_MOST_SHOWN = 4e6  # pixels of the drawn image; encoding a larger one takes the server seconds


class Answer(NamedTuple):
    """Results for one image.

    Attributes:
        pose: (H, W, 3) uint8 RGB, the image with the skeletons; scaled down if it is very large.
        heatmaps: Sheet of a tile per joint, uint8 RGB; ``None`` if the model has no heatmaps.
        occlusion: The same for occlusion maps.
        rows: P * K rows of a table, see ``COLUMNS``.
        persons: The same as dicts, for a file.
    """

    pose: np.ndarray
    heatmaps: np.ndarray | None
    occlusion: np.ndarray | None
    rows: list[list[Any]]
    persons: list[dict[str, Any]]


def answer(
    inferencer: PoseInferencer, image: np.ndarray, box: Sequence[float] | None = None, threshold: float = 0.3
) -> Answer:
    """Predict the persons of an image.

    Args:
        inferencer: The model.
        image: (H, W, 3) uint8 BGR.
        box: x1, y1, x2, y2 of one person in pixels. By default the boxes of the inferencer's detector, or without one
            the whole image.
        threshold: Joints with a lower score are not drawn.

    Returns:
        Drawn images and tables.

    Raises:
        UsageError: The box is outside the image.
    """
    check_box(box, image)
    boxes = None if box is None else [list(box)]
    (result,) = inferencer(image, bboxes=boxes, return_vis=True, return_maps=True, kpt_thr=threshold)
    names, maps = joint_names(inferencer), result.get('maps', {})
    persons = [readable_person(person, names) for person in result['predictions'][0]]
    pose = result['visualization'][0]
    return Answer(
        enlarge(pose, min(1.0, math.sqrt(_MOST_SHOWN / (pose.shape[0] * pose.shape[1])))),
        map_sheet(image, maps.get('heatmaps'), names),
        map_sheet(image, maps.get('occlusion'), names),
        [row for i, person in enumerate(persons) for row in table_rows(i, person)],
        persons,
    )


def parse_box(text: str) -> list[float] | None:
    """Parse a box typed by a visitor.

    Args:
        text: 'x1 y1 x2 y2' in pixels, separated by spaces or commas; empty for none.

    Returns:
        The numbers.

    Raises:
        UsageError: It is not a box, or the box has no size or is too large.
    """
    words = text.replace(',', ' ').split()
    if not words:
        return None
    try:
        box = [float(word) for word in words]
    except ValueError:
        box = []
    if len(box) != 4 or not all(abs(value) <= LARGEST for value in box):
        raise UsageError(f'The box "{text.strip()}" is not four numbers: left, top, right and bottom in pixels.')
    if box[0] >= box[2] or box[1] >= box[3]:
        raise UsageError(f'The box "{text.strip()}" has no size: left must be less than right, top less than bottom.')
    return box


def check_box(box: Sequence[float] | None, image: np.ndarray) -> None:
    """Refuse a box outside the image.

    Args:
        box: x1, y1, x2, y2 in pixels, or ``None``.
        image: (H, W, 3).

    Raises:
        UsageError: It is outside.
    """
    height, width = image.shape[:2]
    if box is not None and is_outside(box, (width, height)):
        corners = ' '.join(f'{value:g}' for value in box)
        raise UsageError(f'The box "{corners}" is outside the image, which has {width} x {height} pixels.')


def joint_names(inferencer: PoseInferencer) -> list[str]:
    """Names of the K joints of a model.

    Args:
        inferencer: The model.
    """
    names = inferencer.model.dataset_meta['keypoint_id2name']
    return [names[k] for k in range(len(names))]


def readable_person(person: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Convert a person to a readable form, for a file.

    Args:
        person: Prediction of the inferencer.
        names: Names of the joints.

    Returns:
        ``box``, if there is one, and ``joints``: dicts of ``name``, ``x``, ``y``, ``score`` and, if the model predicts
        it, ``occluded``, a probability.
    """
    occluded = person.get('keypoints_occluded')
    joints = []
    for k, (name, (x, y), score) in enumerate(zip(names, person['keypoints'], person['keypoint_scores'], strict=True)):
        joint = dict(name=name, x=round(float(x), 2), y=round(float(y), 2), score=round(float(score), 4))
        joints.append(joint if occluded is None else {**joint, 'occluded': round(float(occluded[k]), 4)})
    entry: dict[str, Any] = dict(joints=joints)
    if 'bbox' in person:
        entry['box'] = [round(float(v), 2) for v in np.ravel(person['bbox'])[:4]]
    return entry


def table_rows(index: int, person: dict[str, Any]) -> list[list[Any]]:
    """Rows of the table for one person.

    Args:
        index: Index of the person.
        person: Result of :func:`person_entry`.

    Returns:
        K rows with the columns ``COLUMNS``; the last one is ``None`` if the model does not predict occlusion.
    """
    return [[index, j['name'], j['x'], j['y'], j['score'], j.get('occluded')] for j in person['joints']]


def map_sheet(image: np.ndarray, maps: np.ndarray | None, names: Sequence[str]) -> np.ndarray | None:
    """Draw a tile per joint, with its map over the image.

    All maps share one scale: the highest value of any map is shown in full. The number beside a name is the maximum of
    that joint's map.

    Args:
        image: (H, W, 3) uint8 BGR.
        maps: (K, h, w) over the whole image; ``None`` gives ``None``.
        names: K names.

    Returns:
        The sheet, uint8 RGB.
    """
    if maps is None:
        return None
    small = enlarge(to_rgb(image), min(1.0, _TILE / max(image.shape[:2])))
    highest = maps.reshape(len(maps), -1).max(axis=1)
    titles = [f'{name} {top:.2g}' for name, top in zip(names, highest, strict=True)]
    return heatmap_sheet(small, maps / max(float(highest.max()), 1e-12), names=titles, columns=5)


def messaging_parts(inferencer: PoseInferencer) -> list[str]:
    """Parts whose messages can be shown.

    Args:
        inferencer: The model.

    Returns:
        Joints first, then virtual parts; empty if the model has no ``TreeMessagePassing`` before a ``PartScoreHead``.
    """
    neck, head = (getattr(inferencer.model, key, None) for key in ('neck', 'head'))
    if not isinstance(neck, TreeMessagePassing) or not isinstance(head, PartScoreHead):
        return []
    joints = [neck.tree.names[k] for k in neck.tree.joint_parts]
    return joints + [name for name in neck.tree.names if name not in joints]


@torch.no_grad()
def message_image(
    inferencer: PoseInferencer, image: np.ndarray, part: str, box: Sequence[float] | None = None
) -> np.ndarray:
    """Draw the messages that a part receives from its neighbours.

    Args:
        inferencer: Model with :func:`messaging_parts`.
        image: (H, W, 3) uint8 BGR.
        part: One of these parts.
        box: Box of the person; by default the whole image.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        UsageError: The box is outside the image.
    """
    check_box(box, image)
    model, (height, width) = inferencer.model, image.shape[:2]
    corners = (0, 0, width, height) if box is None else box
    (packed,) = inferencer.crop(image, np.array([[*corners, 1]], dtype=np.float32))
    inputs = model.data_preprocessor(pseudo_collate([packed]), training=False)['inputs']
    trace = trace_messages(model.neck, model.backbone(inputs))
    maps = part_maps(model.neck, model.head, trace, model.neck.tree.names.index(part))
    return draw_messages(to_rgb(packed['inputs'].permute(1, 2, 0).numpy()), maps)
