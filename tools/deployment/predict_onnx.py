"""Predict poses with an exported ONNX file, without mmpose and torch.

Run it with ``python tools/deployment/predict_onnx.py MODEL.onnx IMAGE [--bbox X1 Y1 X2 Y2]``.

Needs numpy, onnxruntime and Pillow, and the folder ``onnx_pose`` beside this file. Prints json, or writes it to
``--out``, or to files such as those of ``demo/inference.py`` in ``--out-dir``. An image of several that cannot be used
is left out and listed at the end; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from onnx_pose import (
    OnnxDetector,
    OnnxPose,
    ResultNames,
    UnusableDetectorError,
    check_boxes,
    describe_left_out,
    json_name,
    read_image,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Predict poses with an exported ONNX file, without mmpose and torch.')
    parser.add_argument('model', type=Path, help='a file written by export_onnx.py')
    parser.add_argument('images', type=Path, nargs='+', help='images; for several give --out-dir')
    parser.add_argument(
        '--bbox',
        '--box',
        type=float,
        nargs=4,
        action='append',
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of a person in pixels, in every image; may be repeated; default: the whole image',
    )
    parser.add_argument('--det-model', type=Path, help='ONNX file of YOLOX or RTMDet, which finds the persons')
    parser.add_argument(
        '--flip-test',
        action=argparse.BooleanOptionalAction,
        help='average with the mirrored image; default: as in the config that was exported',
    )
    parser.add_argument(
        '--second-pass',
        action=argparse.BooleanOptionalAction,
        help='predict again in a crop around the joints that were found, where that is clearly smaller than the box; '
        'default: only where the whole image is one person',
    )
    out = parser.add_mutually_exclusive_group()
    out.add_argument(
        '--out',
        type=Path,
        help='json file {"joints": names, "people": persons} of one image, other than in --out-dir; default: print it',
    )
    out.add_argument('--out-dir', type=Path, help='folder; predictions/NAME.json gets the list of persons of an image')
    args = parser.parse_args()
    if args.bbox and args.det_model:
        parser.error('argument --det-model: not allowed with argument --bbox')
    if len(args.images) > 1 and args.out_dir is None:
        parser.error(f'{len(args.images)} images need --out-dir')
    return args


class Predictor:
    """Predict the joints of the persons of images, as plain numbers.

    Args:
        args: Parsed command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.model = OnnxPose(args.model)
        self._detector = None if args.det_model is None else OnnxDetector(args.det_model)
        self._boxes = None if args.bbox is None else check_boxes(args.bbox)
        self._options = dict(flip_test=args.flip_test, second_pass=args.second_pass)
        self.model.check_flip_test(args.flip_test)

    def __call__(self, file: Path) -> list[dict[str, Any]]:
        """Predict the persons of an image file."""
        image, boxes, scores = read_image(file), self._boxes, None
        if self._detector is not None:
            found = self._detector(image)
            boxes, scores = found[:, :4], found[:, 4]
        found = self.model(image, boxes, **self._options)
        scores = np.ones(len(found['bboxes'])) if scores is None else scores
        return [person_entry(found, i, self.model.joints, score) for i, score in enumerate(scores)]


def person_entry(found: dict[str, np.ndarray], index: int, joints: list[str], bbox_score: float) -> dict[str, Any]:
    """One person as plain numbers, with the keys of ``demo/inference.py`` and the arrays of ``OnnxPose``."""
    entry = {key: np.round(value[index].astype(float), 4).tolist() for key, value in found.items()}
    entry |= dict(keypoint_names=joints, bbox=[entry['bboxes']], bbox_score=round(float(bbox_score), 4))
    if 'pose_scores' in entry:
        entry['pose_score'] = entry['pose_scores']
    return entry


def prepare_outputs(args: argparse.Namespace) -> None:
    """Create the folder of the results, and refuse one in which nothing can be written, before the work."""
    if args.out is not None and args.out.is_dir():
        raise ValueError(f'--out {args.out}: is a folder, allowed: a file')
    for flag, path in (('--out', args.out), ('--out-dir', args.out_dir)):
        if path is None:
            continue
        folder = path.parent if flag == '--out' else path / 'predictions'
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except FileExistsError:
            raise ValueError(f'{flag} {path}: cannot be written to: {folder} is a file, not a folder') from None
        except OSError as error:
            raise ValueError(f'{flag} {path}: cannot be written to: {error.strerror or error}') from error


def write_all(predict: Predictor, images: Sequence[Path], folder: Path) -> None:
    """Write a file for each image; of several, those that cannot be used are left out.

    Args:
        predict: The model.
        images: Files.
        folder: Folder of the results.

    Raises:
        ValueError: The detector cannot be used, or images were left out.
    """
    errors = []
    for path, name in ResultNames(list(map(str, images))).planned:
        try:
            persons = predict(Path(path))
        except ValueError as error:
            if len(images) == 1 or isinstance(error, UnusableDetectorError):
                raise
            errors.append(str(error) if path in str(error) else f'{path}: {error}')
        else:
            write_persons(folder / json_name(name), persons)
    if errors:
        raise ValueError(describe_left_out(errors, len(images)))


def write_persons(file: Path, persons: list[dict[str, Any]]) -> None:
    """Write the persons of an image as ``demo/inference.py`` does."""
    persons = [{key: person[key] for key in person if key not in ('bboxes', 'pose_scores')} for person in persons]
    rows = ',\n'.join(json.dumps(person, allow_nan=False) for person in persons)
    file.write_text(f'[\n{rows}\n]\n')


def run(args: argparse.Namespace) -> None:
    """Predict, and print or write the results."""
    predict = Predictor(args)
    prepare_outputs(args)
    if args.out_dir is not None:
        write_all(predict, args.images, args.out_dir / 'predictions')
        return
    text = json.dumps(dict(joints=predict.model.joints, people=predict(args.images[0])), allow_nan=False)
    if args.out is None:
        print(text)
    else:
        args.out.write_text(text + '\n')


def main() -> None:
    """Predict."""
    try:
        run(parse_args())
    except (OSError, ValueError) as error:
        sys.exit(f'{Path(sys.argv[0]).name}: error: {error}')


if __name__ == '__main__':
    main()
