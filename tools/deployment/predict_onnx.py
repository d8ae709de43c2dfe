"""Poses without mmpose: ``python tools/deployment/predict_onnx.py MODEL.onnx IMAGE [--box X1 Y1 X2 Y2] [--out FILE]``.

Needs numpy, onnxruntime and Pillow, and of this project the folder ``onnx_pose`` beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from onnx_pose import OnnxPose
from PIL import Image, ImageOps, UnidentifiedImageError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Find the joints of people with an exported model.')
    parser.add_argument('model', type=Path, help='a file of export_onnx.py')
    parser.add_argument('image', type=Path)
    parser.add_argument(
        '--box', type=float, nargs=4, action='append', metavar=('X1', 'Y1', 'X2', 'Y2'), help='default: the whole image'
    )
    parser.add_argument('--flip-test', action='store_true', help='average with the mirrored image')
    parser.add_argument('--out', type=Path, help='json file; default: print it')
    return parser.parse_args()


def read_image(path: Path) -> np.ndarray:
    """Read an image as it is meant to be seen: cameras store it lying and note how to turn it.

    Args:
        path: A file that Pillow reads.

    Returns:
        np.ndarray: (h, w, 3) uint8: red, green, blue.

    Raises:
        ValueError: It cannot be read; names the file.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except UnidentifiedImageError:
        raise ValueError(f'{path}: not an image') from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow tells a broken PNG by SyntaxError
        raise ValueError(f'{path}: {getattr(error, "strerror", None) or error}') from error


def predict(args: argparse.Namespace) -> str:
    """Find the joints, as json."""
    image, model = read_image(args.image), OnnxPose(args.model)
    found = model(image, None if args.box is None else np.array(args.box), args.flip_test)
    people = [
        {key: np.round(value[i].astype(float), 4).tolist() for key, value in found.items()}
        for i in range(len(found['bboxes']))
    ]
    return json.dumps(dict(joints=model.joints, people=people))


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
