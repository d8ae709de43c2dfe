"""Draw a contact sheet of stick figures: ``python tools/misc/stick_figure_sheet.py``.

The upper half shows images as a network gets them, the lower half others with their joints: visible joints are
discs, occluded ones rings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from posestructs.datasets import StickFigureDataset
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.visualization import contact_sheet, draw_legend, draw_pose, stack_rows

_LABELLED_SCALE = 2  # an image with joints is as wide as two without


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw a contact sheet of stick figures.')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/stick_figures.jpg'), help='the image to write')
    parser.add_argument('--seed', type=int, default=0, help='seed of the stream of figures')
    parser.add_argument('--start', type=int, default=0, help='number of the first')
    parser.add_argument('--size', type=int, default=128, help='side of an image in pixels')
    parser.add_argument('--columns', type=int, default=10, help='images in a row, an even number')
    parser.add_argument('--rows', type=int, default=4, help='rows of images in the upper half, an even number')
    parser.add_argument('--joint-set', choices=('lsp', 'mpii'), default='lsp', help='which joints to draw')
    parser.add_argument('--quality', type=int, default=60, help='quality of the JPEG, 1 to 100')
    args = parser.parse_args()
    if args.columns < 2 or args.columns % 2 or args.rows < 2 or args.rows % 2:
        parser.error(f'--columns {args.columns} --rows {args.rows}, allowed: even numbers from 2')
    return args


def draw_sheet(dataset: StickFigureDataset, columns: int, rows: int) -> np.ndarray:
    """Lay out images of a data set.

    Args:
        dataset: Stick figures without a pipeline, at least ``1.25 * columns * rows``.
        columns: Number of images in a row.
        rows: Number of rows of images without joints.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    plain = [dataset[number]['img'][..., ::-1] for number in range(columns * rows)]
    labelled = [
        draw_pose(
            sample['img'][..., ::-1],
            sample['keypoints'],
            sample['keypoints_visible'],
            sample['keypoints_occluded'],
            dataset.metainfo,
            scale=_LABELLED_SCALE,
        )
        for sample in (dataset[columns * rows + number] for number in range(columns // 2 * (rows // 2)))
    ]
    upper = contact_sheet(plain, columns, gap=2)
    lower = contact_sheet(labelled, columns // 2, gap=2)
    return stack_rows([upper, lower, draw_legend(upper.shape[1], ('visible', 'occluded'))])


@report_usage_errors
def main() -> None:
    args = parse_args()
    check_outputs(args)
    count = args.columns * args.rows * 5 // 4
    dataset = StickFigureDataset(
        count, image_size=args.size, joint_set=args.joint_set, seed=args.seed, start_index=args.start
    )
    sheet = draw_sheet(dataset, args.columns, args.rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, args.quality]):
        raise UsageError(f'--out {args.out}: could not be written')
    print(
        f'{count} persons, {sheet.shape[1]} x {sheet.shape[0]} pixels: {args.out} ({args.out.stat().st_size:,} bytes)'
    )


if __name__ == '__main__':
    main()
