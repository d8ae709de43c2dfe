"""Tables, images and sentences of the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import mmengine
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from posestructs.evaluation.error_anatomy import Difference, classify_errors, compare_kinds, torso_scale
from posestructs.evaluation.tables import format_table
from posestructs.visualization import contact_sheet, draw_legend, draw_pose, side_by_side, stack_rows

load = mmengine.load
COLUMNS = ('TorsoPCK@0.2', 'visible/TorsoPCK@0.2', 'occluded/TorsoPCK@0.2', 'StrictPCP@0.5', 'PDJ@0.1')
TILE = 128  # pixels of a figure
PHOTO_HEIGHT, SHEET_WIDTH = 260, 900  # pixels
# of the baseline and of the others in sentences
WORDS = dict(
    baseline='the same model without messages',
    structured='the model with messages along the skeleton',
    adversarial='Adversarial PoseNet',
    hybrid='Adversarial PoseNet with messages',
)


class Trained(NamedTuple):
    """One of the models.

    Attributes:
        name: Its name here.
        config: Its config file.
        metrics: Metrics on the test figures, in percent.
        predictions: Dump of ``tools/test.py``, one entry for each test figure.
        minutes: Minutes of training.
    """

    name: str
    config: Path
    metrics: Mapping[str, float]
    predictions: Sequence[Mapping[str, Any]]
    minutes: float


def metric_table(models: Sequence[Trained]) -> str:
    """Set the models side by side.

    Args:
        models: M models.

    Returns:
        A table in Markdown, M rows, metrics in percent.
    """
    found = [key for key in COLUMNS if any(key in model.metrics for model in models)]
    rows = [
        [m.name, *(f'{m.metrics[key]:.1f}' if key in m.metrics else '-' for key in found), f'{m.minutes:.1f}']
        for m in models
    ]
    return format_table(['model', *found, 'minutes'], rows)


def test_set(model: Trained) -> Any:
    """Build the data set that a model was tested on."""
    init_default_scope('mmpose')
    return DATASETS.build(Config.fromfile(model.config).test_dataloader.dataset)


def error_kinds(model: Trained, metainfo: Mapping[str, Any]) -> np.ndarray:
    """Classify the predicted joints of a dump.

    Args:
        model: A model.
        metainfo: Metainfo of its data set.

    Returns:
        (N, K) kinds of :func:`classify_errors`, by number of the figure.
    """
    samples = sorted(model.predictions, key=lambda sample: sample['img_id'])
    pred, gt = (np.concatenate([s[key]['keypoints'] for s in samples]) for key in ('pred_instances', 'gt_instances'))
    labelled = np.concatenate([s['gt_instances']['keypoints_visible'] for s in samples]).reshape(gt.shape[:2]) > 0
    names = metainfo['keypoint_name2id']
    torso = np.nan_to_num(torso_scale(gt, labelled, tuple(names[name] for name in metainfo['torso_pair'])))
    return classify_errors(pred[..., :2], gt, labelled, torso, metainfo['flip_indices']).kind


def compare(first: Trained, second: Trained) -> Difference:
    """Difference of two models in points of TorsoPCK, second minus first, with an interval over the figures."""
    metainfo = test_set(first).metainfo
    return compare_kinds(error_kinds(first, metainfo), error_kinds(second, metainfo))['good']


def explain(first: Trained, second: Trained, difference: Difference) -> str:
    """Say in a sentence what a comparison shows.

    Args:
        first: The baseline.
        second: The other model.
        difference: Result of :func:`compare`.

    Returns:
        The sentence.
    """
    (a, b), count = (model.metrics['TorsoPCK@0.2'] for model in (first, second)), len(second.predictions)
    text = (
        f'On {count} unseen figures {WORDS[second.name]} places {b:.1f} % of the joints within 0.2 torsos of the '
        f'label, {WORDS[first.name]} {a:.1f} %. '
    )
    low, high = sorted((abs(difference.low), abs(difference.high)))
    if difference.low <= 0 <= difference.high:
        return f'{text}The difference of {difference.mean:+.1f} points may be chance ({interval(difference)}).'
    more = 'more' if difference.mean > 0 else 'fewer'
    return (
        f'{text}That is {abs(difference.mean):.1f} points {more} (95 % interval {low:.1f} to {high:.1f}; one run each).'
    )


def interval(difference: Difference) -> str:
    """Write the interval of a difference."""
    return f'95 % interval {difference.low:+.1f} to {difference.high:+.1f}; one run each'


def draw_figures(models: Sequence[Trained], persons: int) -> np.ndarray:
    """Draw test figures with their labels and with the predictions of each model.

    Args:
        models: M models.
        persons: Number of figures, from the first.

    Returns:
        (H, W, 3) uint8 RGB, M + 1 poses for each figure.
    """
    dataset = test_set(models[0])
    found = [{s['img_id']: s['pred_instances']['keypoints'] for s in model.predictions} for model in models]
    rows = []
    for info in map(dataset.get_data_info, range(persons)):
        image, meta, scale = info['img'][..., ::-1], dataset.metainfo, TILE / max(info['img'].shape[:2])
        labels = (info['keypoints_visible'], info.get('keypoints_occluded'))
        poses = [draw_pose(image, poses[info['img_id']], metainfo=meta, scale=scale) for poses in found]
        rows.append(side_by_side([draw_pose(image, info['keypoints'], *labels, meta, scale=scale), *poses]))
    title = ' | '.join(['label', *(model.name for model in models)])
    sheet = contact_sheet(rows, columns=2, titles=[title] * persons)
    return stack_rows([sheet, draw_legend(sheet.shape[1], ('visible', 'occluded'))])


def draw_photos(photos: Sequence[Path], results: Path) -> np.ndarray:
    """Put photographs and results side by side, several in a row where they fit.

    Args:
        photos: Photographs.
        results: Folder with a drawn image of the same name for each.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    rows: list[list[np.ndarray]] = [[]]
    for photo in photos:
        pair = [cv2.imread(str(path))[..., ::-1] for path in (photo, results / photo.name)]
        scale = PHOTO_HEIGHT / pair[0].shape[0]
        pair = [cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for image in pair]
        if rows[-1] and sum(image.shape[1] for image in [*rows[-1], *pair]) > 1.2 * SHEET_WIDTH:
            rows.append([])
        rows[-1] += pair
    joined = [side_by_side(row) for row in rows]
    size = [(SHEET_WIDTH, round(row.shape[0] * SHEET_WIDTH / row.shape[1])) for row in joined]
    return stack_rows([cv2.resize(row, s, interpolation=cv2.INTER_AREA) for row, s in zip(joined, size, strict=True)])
