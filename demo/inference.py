"""Predict poses in images, videos and camera streams.

Run it with ``python demo/inference.py IMAGE|FOLDER|PATTERN|VIDEO|webcam ... [flags]``.

Without flags the shipped model is used, and each image is one person. Drawn images go to ``DIR/visualizations`` (a
video for a video), predictions to ``DIR/predictions`` as json. An image of several that cannot be used is reported and
left out; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

# a checkout works without installation
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posestructs.apis import PoseInferencer
from posestructs.apis.image_sources import expand_inputs, open_source
from posestructs.apis.person_detector import WHOLE_IMAGE
from posestructs.deployment.onnx_pose import describe_left_out
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.words import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Predict poses in images, videos and camera streams.')
    parser.add_argument(
        'inputs',
        nargs='+',
        help="images, folders, patterns such as '*.jpg'; or one video, webcam (webcam:1 for another), or address of an "
        'image, video or stream (http, https, rtsp, ...)',
    )
    parser.add_argument('--recursive', action='store_true', help='search subfolders too')
    add_model_flags(parser.add_argument_group('model'))
    add_person_flags(parser.add_argument_group('persons', 'By default each image shows one person.'))
    add_output_flags(parser.add_argument_group('output'))
    args = parser.parse_args()
    if args.bbox and args.det_model not in (None, *WHOLE_IMAGE):
        parser.error('argument --det-model: not allowed with argument --bbox')
    return args


def add_model_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that choose and run the model."""
    group.add_argument('--config', help='a config file or the name of a shipped model; default: the shipped model')
    group.add_argument('--checkpoint', help='its checkpoint file')
    group.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    group.add_argument('--batch-size', type=int, default=8, help='persons that share a forward pass')
    group.add_argument(
        '--flip-test',
        action=argparse.BooleanOptionalAction,
        help='average with the mirrored image; default: as in the config',
    )


def add_person_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags that say where persons are, and follow them."""
    boxes = group.add_mutually_exclusive_group()
    boxes.add_argument(
        '--bbox',
        type=float,
        nargs=4,
        action='append',
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of a person in pixels, in every image, in the place of a detector; may be repeated',
    )
    boxes.add_argument('--bbox-file', type=Path, help='json of {"name.jpg": [[x1, y1, x2, y2], ...], ...}')
    group.add_argument(
        '--det-model',
        help='ONNX file of YOLOX or RTMDet, a detector of mmdet, or whole_image; default: with mmdet, '
        "mmpose's detector for the config's data, otherwise none",
    )
    group.add_argument('--det-weights', help='checkpoint of a detector of mmdet')
    group.add_argument(
        '--second-pass',
        action=argparse.BooleanOptionalAction,
        help='predict again in a crop around the joints that were found, where that is clearly smaller than the box; '
        'default: only where the whole image is one person',
    )
    group.add_argument('--track', action='store_true', help='give the persons of a video track ids (extra track)')
    group.add_argument('--smooth', action='store_true', help='smooth the joints of a video along the tracks')


def add_output_flags(group: argparse._ArgumentGroup) -> None:
    """Add the flags of what is written and drawn."""
    group.add_argument('--out-dir', type=Path, default=Path('work_dirs/inference'), help='default: %(default)s')
    group.add_argument(
        '--kpt-thr',
        type=float,
        default=0.3,
        help='joints with a lower score (probability, with a calibration) are not drawn',
    )
    group.add_argument('--draw-bbox', action='store_true', help='draw boxes too')
    group.add_argument('--draw-heatmap', action='store_true', help='draw heatmaps and occlusion maps below')
    group.add_argument('--show', action='store_true', help='open a window')


def read_boxes(args: argparse.Namespace) -> list | dict | None:
    """Boxes of the flags."""
    if args.bbox_file is None:
        return args.bbox
    try:
        boxes = json.loads(args.bbox_file.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f'--bbox-file {args.bbox_file}: {error}') from error
    if not isinstance(boxes, dict):
        raise UsageError(
            f'--bbox-file {args.bbox_file} is not of the form {{"name.jpg": [[x1, y1, x2, y2], ...], ...}}'
        )
    return boxes


class Summary:
    """Counts for the last lines of the output."""

    def __init__(self, kpt_thr: float) -> None:
        self.kpt_thr = kpt_thr
        self.images = self.persons = self.not_drawn = 0
        self.kind = 'score'
        self.errors: list[str] = []

    def add(self, result: dict) -> None:
        """Count one result."""
        persons = result['predictions'][0]
        self.images += 1
        self.persons += len(persons)
        if persons and 'keypoints_correct' in persons[0]:  # the model has a calibration, and so has the threshold
            self.kind = 'probability'
        values = [person.get('keypoints_correct', person['keypoint_scores']) for person in persons]
        self.not_drawn += sum(max(joints) < self.kpt_thr for joints in values)
        self.errors += [result['error']] if 'error' in result else []

    def describe(self, unit: str, out_dir: Path) -> str:
        """Lines for the screen."""
        images = counted(self.images - len(self.errors), unit)
        text = f'{counted(self.persons, "person")} in {images}: {out_dir}\n'
        if self.not_drawn:
            least = f'a {self.kind} of at least {self.kpt_thr:g} (--kpt-thr)'
            text += f'{self.not_drawn} without a joint of {least}: not drawn\n'
        return text


@report_usage_errors
def main() -> None:
    """Predict."""
    args = parse_args()
    check_outputs(args)
    if args.checkpoint is None and args.config and (Path(args.config).is_file() or '::' in args.config):
        raise UsageError(f'--config {args.config} needs --checkpoint: without one the weights would be random')
    boxes, source = read_boxes(args), open_source(expand_inputs(args.inputs, args.recursive))
    inferencer = PoseInferencer(
        args.config, args.checkpoint, args.device, args.det_model, args.det_weights, show_progress=True
    )
    inferencer.logs_errors = False  # they are listed at the end
    names = (
        'batch_size',
        'kpt_thr',
        'flip_test',
        'second_pass',
        'draw_bbox',
        'draw_heatmap',
        'show',
        'track',
        'smooth',
    )
    flags = {key: getattr(args, key) for key in names}
    summary = Summary(args.kpt_thr)
    for name in ('SIGTERM', 'SIGHUP'):  # end as with Ctrl+C, so that a video is completed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    results = inferencer(source, boxes, out_dir=args.out_dir, **flags)
    try:
        for result in results:
            summary.add(result)
    except KeyboardInterrupt:  # Ctrl+C ends a camera; its frames so far are saved
        results.close()
        sys.stdout.write('\nstopped\n')
    unit = 'frame' if source.is_video else 'image'
    sys.stdout.write(summary.describe(unit, args.out_dir))
    if summary.errors:
        raise UsageError(describe_left_out(summary.errors, summary.images, unit))


if __name__ == '__main__':
    main()
