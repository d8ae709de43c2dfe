"""Poses of people in your own pictures: ``python demo/inference.py IMAGE|FOLDER|VIDEO|webcam [flags]``.

Without further flags the model that comes with the project is used, and each image is one person. Drawn pictures go to
``DIR/visualizations`` (of a video a video), predictions to ``DIR/predictions`` as json. An image of a folder that
cannot be used is reported and left out; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posestructs.apis import PoseInferencer
from posestructs.utils.usage import UsageError, report_usage_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Poses of people in pictures.')
    parser.add_argument('inputs', help='an image, a folder of images, a video, or webcam (webcam:1 for another)')
    parser.add_argument('--config', help='a config file or the name of a shipped model; default: the shipped model')
    parser.add_argument('--checkpoint', help='its checkpoint file')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/inference'), help='default: %(default)s')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    parser.add_argument('--batch-size', type=int, default=8, help='people that share a forward pass')
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument(
        '--bbox',
        type=float,
        nargs=4,
        action='append',
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of a person in pixels, in every image; may be given several times',
    )
    boxes.add_argument('--bbox-file', type=Path, help='json of {"name.jpg": [[x1, y1, x2, y2], ...], ...}')
    parser.add_argument(
        '--det-model', help='a detector of mmdet, or whole_image; default: with mmdet one for what the data shows'
    )
    parser.add_argument('--det-weights', help='its checkpoint')
    parser.add_argument('--kpt-thr', type=float, default=0.3, help='joints with a smaller score are not drawn')
    parser.add_argument('--draw-bbox', action='store_true', help='draw boxes too')
    parser.add_argument('--draw-heatmap', action='store_true', help='draw heatmaps and occlusion maps below')
    parser.add_argument('--show', action='store_true', help='open a window')
    return parser.parse_args()


def read_boxes(args: argparse.Namespace) -> list | dict | None:
    """Boxes of the flags."""
    if args.bbox_file is None:
        return args.bbox
    try:
        boxes = json.loads(args.bbox_file.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f'--bbox-file {args.bbox_file}: {error}') from error
    if not isinstance(boxes, dict):
        raise UsageError(
            f'--bbox-file {args.bbox_file} is not of the form {{"name.jpg": [[x1, y1, x2, y2], ...], ...}}'
        )
    return boxes


@report_usage_errors
def main() -> None:
    """Predict."""
    args = parse_args()
    boxes = read_boxes(args)
    inferencer = PoseInferencer(
        args.config, args.checkpoint, args.device, args.det_model, args.det_weights, show_progress=True
    )
    flags = {key: getattr(args, key) for key in ('batch_size', 'kpt_thr', 'draw_bbox', 'draw_heatmap', 'show')}
    images, people, errors = 0, 0, []
    try:
        for result in inferencer(args.inputs, boxes, out_dir=args.out_dir, **flags):
            images += 1
            people += len(result['predictions'][0])
            errors += [result['error']] if 'error' in result else []
    except KeyboardInterrupt:  # the way to end a camera; what was seen is saved
        sys.stdout.write('\nstopped\n')
    sys.stdout.write(f'{people} people in {images - len(errors)} images: {args.out_dir}\n')
    if errors:
        raise UsageError(f'{len(errors)} of {images} images were left out:\n  ' + '\n  '.join(errors))


if __name__ == '__main__':
    main()
