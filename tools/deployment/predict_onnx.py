"""Predict poses without mmpose: ``python tools/deployment/predict_onnx.py MODEL.onnx IMAGE [--bbox X1 Y1 X2 Y2]``.

Needs numpy, onnxruntime and Pillow, and the folder ``onnx_pose`` beside this file. Prints json, or writes it to
``--out``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from onnx_pose import OnnxPose, read_image


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Predict the joints of persons with an exported model.')
    parser.add_argument('model', type=Path, help='a file written by export_onnx.py')
    parser.add_argument('image', type=Path)
    parser.add_argument(
        '--bbox',
        '--box',
        type=float,
        nargs=4,
        action='append',
        metavar=('X1', 'Y1', 'X2', 'Y2'),
        help='box of a person in pixels; may be repeated; default: the whole image',
    )
    parser.add_argument(
        '--flip-test',
        action=argparse.BooleanOptionalAction,
        help='average with the mirrored image; default: as in the config that was exported',
    )
    parser.add_argument('--out', type=Path, help='json file; default: print it')
    return parser.parse_args()


def predict(args: argparse.Namespace) -> str:
    """Predict the joints, as json."""
    image, model = read_image(args.image), OnnxPose(args.model)
    found = model(image, None if args.bbox is None else np.array(args.bbox), args.flip_test)
    persons = [person_entry(found, i, model.joints) for i in range(len(found['bboxes']))]
    return json.dumps(dict(joints=model.joints, people=persons), allow_nan=False)


def person_entry(found: dict[str, np.ndarray], index: int, joints: list[str]) -> dict[str, Any]:
    """One person as plain numbers, with the keys of ``demo/inference.py`` and the arrays of ``OnnxPose``."""
    entry = {key: np.round(value[index].astype(float), 4).tolist() for key, value in found.items()}
    entry |= dict(keypoint_names=joints, bbox=[entry['bboxes']], bbox_score=1.0)
    if 'pose_scores' in entry:
        entry['pose_score'] = entry['pose_scores']
    return entry


def main() -> None:
    """Predict."""
    args = parse_args()
    try:
        text = predict(args)
        if args.out is None:
            print(text)
        else:
            args.out.write_text(text + '\n')
    except (OSError, ValueError) as error:
        sys.exit(f'predict_onnx.py: error: {error}')


if __name__ == '__main__':
    main()
