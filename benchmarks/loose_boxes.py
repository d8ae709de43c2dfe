"""What is lost without the box of a person, or with a loose one, in one pass and in two.

    python benchmarks/loose_boxes.py                                    # the shipped model on its validation persons
    python benchmarks/loose_boxes.py --report docs/inference.md        # only write the table of earlier results

Each person is predicted from the labelled box, from the whole image, from boxes 2.5 times as large, and from the whole
of an image with a grey border that makes it twice as large, so that the person is half the size. Differences are to the
labelled box, on the same persons, with 95 % intervals over persons.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.hard_persons import beside_labels, interval, right_joints
from benchmarks.page import write_section
from benchmarks.raw_results import write_results
from posestructs.apis import PoseInferencer
from posestructs.apis.shipped_models import shipped_models
from posestructs.evaluation.prediction_files import labels_of_dataset
from posestructs.evaluation.tables import format_table
from posestructs.utils import cli
from posestructs.utils.images import read_image
from posestructs.utils.machine import describe_machine
from posestructs.utils.usage import UsageError, report_usage_errors

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks/results/loose_boxes.json'
GREY = 114
# name: kind of box, and whether there is a second pass
WAYS = {
    'labelled box': ('labelled', False),
    'whole image, one pass': ('whole', False),
    'whole image, two passes': ('whole', True),
    'box 2.5 times as large, one pass': ('enlarged', False),
    'box 2.5 times as large, two passes': ('enlarged', True),
    'whole image, twice as large with a grey border, one pass': ('border', False),
    'whole image, twice as large with a grey border, two passes': ('border', True),
}


def enlarged(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes (N, 4) of x1, y1, x2, y2 in pixels, around the same centres."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centre - factor * half, centre + factor * half], axis=1)


def with_border(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An image in the middle of a grey one of twice its size, and the (2,) x and y of its corner."""
    height, width = image.shape[:2]
    corner = np.array([width // 2, height // 2])
    out = np.full((2 * height, 2 * width, 3), GREY, np.uint8)
    out[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = image
    return out, corner


def predict(inferencer: PoseInferencer, path: str, box: np.ndarray, kind: str, second_pass: bool) -> np.ndarray:
    """(K, 2) joints of the person of an image in pixels."""
    image, corner, boxes = path, np.zeros(2), None
    if kind == 'border':
        image, corner = with_border(read_image(path))
    elif kind != 'whole':
        boxes = box[None] if kind == 'labelled' else enlarged(box[None], 2.5)
    result = next(iter(inferencer(image, bboxes=boxes, second_pass=second_pass)))
    return np.asarray(result['predictions'][0][0]['keypoints']) - corner


def measure(config: Path, checkpoint: Path, persons: int | None) -> dict[str, Any]:
    """Right joints of each way in percent, and differences to the labelled box."""
    init_default_scope('mmpose')
    dataset = DATASETS.build(cli.load_config(str(config)).val_dataloader.dataset)
    labels = labels_of_dataset(dataset, config.name)
    count = min(persons or len(dataset), len(dataset))
    measured = beside_labels(labels.keypoints, labels).labelled[:count].sum(1)
    inferencer, infos = PoseInferencer(str(config), str(checkpoint)), [dataset.get_data_info(i) for i in range(count)]
    right = {}
    for name, (kind, second_pass) in WAYS.items():
        found = np.full(labels.keypoints.shape, np.nan)
        for i, one in enumerate(infos):
            found[i] = predict(inferencer, one['img_path'], one['bbox'][0], kind, second_pass)
        right[name] = right_joints(beside_labels(found, labels))[:count].sum(1)
        print(f'{name}: {100 * right[name].sum() / measured.sum():.1f}', flush=True)
    first = right['labelled box']
    ways = {
        name: dict(joints=100 * float(r.sum() / measured.sum()), minus_labelled=interval(r, first, measured))
        for name, r in right.items()
    }
    return dict(config=config.name, persons=count, joints=int(measured.sum()), ways=ways, machine=describe_machine())


def section(content: Mapping[str, Any]) -> str:
    """Markdown table, with what it was measured on."""
    rows = []
    for name, found in content['ways'].items():
        d = found['minus_labelled']
        gap = '-' if name == 'labelled box' else f'{d["mean"]:+.1f} [{d["low"]:+.1f}, {d["high"]:+.1f}]'
        rows.append([name, f'{found["joints"]:.1f}', gap])
    table = format_table(['TorsoPCK@0.2', 'right joints, %', 'over the labelled box, points'], rows)
    machine = content['machine']
    return (
        f'`python benchmarks/loose_boxes.py`, {content["persons"]:,} test persons of LSP-extended, whose images are '
        f'about 1.5 times as large as the box; no flip test; 95 % intervals over persons; commit {machine["commit"]}, '
        f'torch {machine["torch"]}:\n\n{table}'
    )


@report_usage_errors
def main() -> None:
    """Measure, or write the table."""
    shipped = next(iter(shipped_models().values()))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', type=Path, default=shipped.config)
    parser.add_argument('--checkpoint', type=Path, default=shipped.checkpoint)
    parser.add_argument('--persons', type=cli.positive, help='only the first, for trials')
    parser.add_argument('--out', type=Path, default=RESULTS, help='JSON file of the results')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write the table into a Markdown page')
    args = parser.parse_args()
    if not args.report:
        if args.persons and args.out.resolve() == RESULTS:
            parser.error('--persons changes the results: give another --out')
        write_results(args.out, measure(args.config, args.checkpoint, args.persons))
        return
    try:
        content = json.loads(args.out.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f'--out {args.out}, allowed with --report: a file of an earlier call ({error})') from error
    write_section(args.report, 'loose-boxes', section(content))


if __name__ == '__main__':
    main()
