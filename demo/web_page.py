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
from posestructs.models.necks import ResidualMessagePassing, TreeMessagePassing
from posestructs.utils.usage import UsageError
from posestructs.visualization.browsing import to_rgb
from posestructs.visualization.heatmap_sheet import heatmap_sheet
from posestructs.visualization.message_drawing import draw_messages, part_maps
from posestructs.visualization.message_trace import trace_messages
from posestructs.visualization.pose_drawing import draw_pose, enlarge
from posestructs.visualization.residual_messages import joint_maps
from posestructs.visualization.tags import draw_tag

COLUMNS = ('person', 'joint', 'x', 'y', 'score', 'correct', 'occluded', 'present')
# of persons, where there are several; RGB, distinguishable for most colour-blind visitors (Okabe and Ito)
COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
# keys of the inferencer's predictions, by the names of a joint's probabilities
PROBABILITIES = dict(correct='keypoints_correct', occluded='keypoints_occluded', present='keypoints_present')
_TILE, _COLUMNS = 192, 5  # longer side of a joint's map, and maps in a row; fewer and larger ones of a wide image
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
    inferencer: PoseInferencer, image: np.ndarray, boxes: Sequence[Sequence[float]] = (), threshold: float = 0.3
) -> Answer:
    """Predict the persons of an image.

    Args:
        inferencer: The model.
        image: (H, W, 3) uint8 BGR.
        boxes: x1, y1, x2, y2 of each person in pixels. By default the boxes of the inferencer's detector, or without
            one the whole image.
        threshold: Joints with a lower probability of being right, or without a calibration with a lower score, are not
            drawn.

    Returns:
        Drawn images and tables.

    Raises:
        UsageError: A box is outside the image.
    """
    check_boxes(boxes, image)
    given = [list(box) for box in boxes] or None
    (result,) = inferencer(image, bboxes=given, return_vis=True, return_maps=True, kpt_thr=threshold)
    names, maps, found = joint_names(inferencer), result.get('maps', {}), result['predictions'][0]
    persons = [readable_person(person, names) for person in found]
    pose = result['visualization'][0]
    if len(found) > 1:
        pose = draw_persons(to_rgb(image), found, inferencer.model.dataset_meta, threshold)
    return Answer(
        enlarge(pose, min(1.0, math.sqrt(_MOST_SHOWN / (pose.shape[0] * pose.shape[1])))),
        map_sheet(image, maps.get('heatmaps'), names),
        map_sheet(image, maps.get('occlusion'), names),
        [row for i, person in enumerate(persons, 1) for row in table_rows(i, person)],
        persons,
    )


def draw_persons(
    picture: np.ndarray, persons: Sequence[dict[str, Any]], metainfo: dict[str, Any], threshold: float
) -> np.ndarray:
    """Draw several persons, each in a colour of its own, with the number of its rows in the table.

    Args:
        picture: (H, W, 3) uint8 RGB.
        persons: Predictions of the inferencer.
        metainfo: Metainfo of the model.
        threshold: As in :func:`answer`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    links = metainfo['skeleton_links']
    size = max(0.4, math.sqrt(picture.shape[0] * picture.shape[1]) / 900)
    for number, person in enumerate(persons, 1):
        color = COLORS[(number - 1) % len(COLORS)]
        points = np.array(person['keypoints'])
        drawn = confidences(person)
        present = person.get('keypoints_present')
        if present is not None:
            drawn = np.where(np.array(present) < 0.5, -1, drawn)
        style = dict(
            skeleton_links=links, keypoint_colors=[color] * len(points), skeleton_link_colors=[color] * len(links)
        )
        picture = draw_pose(picture, points, drawn, person.get('keypoints_occluded'), style, threshold=threshold)
        left, top = (int(v) for v in np.ravel(person['bbox'])[:2])
        draw_tag(picture, str(number), (max(left, 0), max(top, 0)), size, color, text_color=(0, 0, 0))
    return picture


def confidences(person: dict[str, Any]) -> np.ndarray:
    """Probabilities that joints are right; raw scores, if the model has no calibration.

    Args:
        person: Prediction of the inferencer.

    Returns:
        (K,) from 0 to 1.
    """
    return np.array(person.get('keypoints_correct', person['keypoint_scores']), dtype=float)


def parse_boxes(text: str) -> list[list[float]]:
    """Parse boxes drawn or typed by a visitor.

    Args:
        text: 'x1 y1 x2 y2' in pixels for each person, separated by spaces or commas; a semicolon or a new line begins
            the next person. Empty for none.

    Returns:
        A box for each person.

    Raises:
        UsageError: One is not a box, has no size or is too large.
    """
    return [_parse_box(part.strip()) for part in text.replace('\n', ';').split(';') if part.strip()]


def _parse_box(text: str) -> list[float]:
    try:
        box = [float(word) for word in text.replace(',', ' ').split()]
    except ValueError:
        box = []
    if len(box) != 4 or not all(abs(value) <= LARGEST for value in box):
        raise UsageError(f'The box "{text}" is not four numbers: left, top, right and bottom in pixels.')
    if box[0] >= box[2] or box[1] >= box[3]:
        raise UsageError(f'The box "{text}" has no size: left must be less than right, top less than bottom.')
    return box


def check_boxes(boxes: Sequence[Sequence[float]], image: np.ndarray) -> None:
    """Refuse boxes outside the image.

    Args:
        boxes: x1, y1, x2, y2 of each person in pixels.
        image: (H, W, 3).

    Raises:
        UsageError: One is outside.
    """
    height, width = image.shape[:2]
    for box in boxes:
        if is_outside(box, (width, height)):
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
        ``box``, if there is one, and ``joints``: dicts of ``name``, ``x``, ``y``, ``score`` and, where the model
        predicts them, the probabilities ``correct`` (the joint is right), ``occluded`` and ``present`` (it lies in the
        image).
    """
    numbers = {key: person[name] for key, name in PROBABILITIES.items() if name in person}
    joints = []
    for k, (name, (x, y), score) in enumerate(zip(names, person['keypoints'], person['keypoint_scores'], strict=True)):
        joint = dict(name=name, x=round(float(x), 2), y=round(float(y), 2), score=round(float(score), 4))
        joints.append(joint | {key: round(float(values[k]), 4) for key, values in numbers.items()})
    entry: dict[str, Any] = dict(joints=joints)
    if 'bbox' in person:
        entry['box'] = [round(float(v), 2) for v in np.ravel(person['bbox'])[:4]]
    return entry


def table_rows(number: int, person: dict[str, Any]) -> list[list[Any]]:
    """Rows of the table for one person.

    Args:
        number: Number of the person, from 1.
        person: Result of :func:`readable_person`.

    Returns:
        K rows with the columns ``COLUMNS``; a probability is ``None`` if the model does not predict it.
    """
    keys = ('name', 'x', 'y', 'score', *PROBABILITIES)
    return [[number, *(joint.get(key) for key in keys)] for joint in person['joints']]


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
    height, width = image.shape[:2]
    columns = min(_COLUMNS, max(2, round(7 * height / width)))
    small = enlarge(to_rgb(image), min(1.0, _TILE * _COLUMNS / columns / max(height, width)))
    highest = maps.reshape(len(maps), -1).max(axis=1)
    titles = [f'{name} {top:.2g}' for name, top in zip(names, highest, strict=True)]
    return heatmap_sheet(small, maps / max(float(highest.max()), 1e-12), names=titles, columns=columns)


def messaging_parts(inferencer: PoseInferencer) -> list[str]:
    """Parts whose messages can be shown.

    Args:
        inferencer: The model.

    Returns:
        Joints first, then virtual parts if these have scores; empty if the neck of the model does not pass messages, or
        its head cannot be shown.
    """
    neck, head = (getattr(inferencer.model, key, None) for key in ('neck', 'head'))
    if not isinstance(neck, TreeMessagePassing):
        return []
    joints = [neck.tree.names[k] for k in neck.tree.joint_parts]
    if isinstance(neck, ResidualMessagePassing):
        return joints
    return joints + [name for name in neck.tree.names if name not in joints] if isinstance(head, PartScoreHead) else []


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
    check_boxes([] if box is None else [box], image)
    model, (height, width) = inferencer.model, image.shape[:2]
    corners = (0, 0, width, height) if box is None else box
    (packed,) = inferencer.crop(image, np.array([[*corners, 1]], dtype=np.float32))
    inputs = model.data_preprocessor(pseudo_collate([packed]), training=False)['inputs']
    feats, neck = model.backbone(inputs), model.neck
    if isinstance(neck, ResidualMessagePassing):
        joints = [neck.tree.names[k] for k in neck.tree.joint_parts]
        maps = joint_maps(neck, model.head, feats, joints.index(part))
    else:
        maps = part_maps(neck, model.head, trace_messages(neck, feats), neck.tree.names.index(part))
    return draw_messages(to_rgb(packed['inputs'].permute(1, 2, 0).numpy()), maps)
