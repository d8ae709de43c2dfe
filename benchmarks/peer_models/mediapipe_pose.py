"""MediaPipe Pose on persons with given boxes, run in an environment of its own.

    python -m venv mp && mp/bin/pip install -r requirements/peers.txt
    mp/bin/python benchmarks/peer_models/mediapipe_pose.py persons.json --models package --out landmarks.json

``mediapipe`` brings an OpenCV and a protobuf that exclude those of posestructs, so this file imports nothing of the
project. ``benchmarks/peers.py`` writes the persons, runs this file and reads the landmarks. Lite and heavy are not part
of ``mediapipe``: ``--models`` is the folder of the npm package ``@mediapipe/pose`` that holds them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

VARIANTS = ('lite', 'full', 'heavy')  # in the order of model_complexity
# Side of a crop in pixels. 2.5 sides of the box wide, it shows a person up to 205 pixels tall without a loss, which is
# taller than any of lspet-mini; MediaPipe scales it to the inputs of its networks.
CROP_SIDE = 512


def crop_matrix(box: list[float], scale: float) -> np.ndarray:
    """(2, 3) map from an image to a square crop around a box, ``scale`` times its longer side."""
    x1, y1, x2, y2 = box
    side = scale * max(x2 - x1, y2 - y1)
    zoom = CROP_SIDE / side
    corner = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - side / 2
    return np.array([[zoom, 0, -zoom * corner[0]], [0, zoom, -zoom * corner[1]]])


def install_model(variant: str, models: Path | None) -> None:
    """Copy a variant's file from the npm package to where ``mediapipe`` expects it, unless it is there."""
    import mediapipe

    name = f'pose_landmark_{variant}.tflite'
    target = Path(mediapipe.__file__).parent / 'modules/pose_landmark' / name
    if not target.is_file():
        if models is None or not (models / name).is_file():
            raise SystemExit(f'{name} is not part of mediapipe: npm pack @mediapipe/pose, unpack it, --models package')
        shutil.copy(models / name, target)


def find_landmarks(persons: list[dict], variant: str, scale: float) -> tuple[list, list[float]]:
    """Landmarks of each person.

    Args:
        persons: ``image`` (path) and ``box`` (x1, y1, x2, y2 in pixels) of each.
        variant: One of VARIANTS.
        scale: Side of the square crop in longer sides of the box.

    Returns:
        For each person 33 rows x, y in pixels of the image, visibility, or None where no person was found; and the
        CPU milliseconds of each person, detection included.
    """
    from mediapipe.python.solutions.pose import Pose

    found, milliseconds = [], []
    with Pose(static_image_mode=True, model_complexity=VARIANTS.index(variant)) as pose:
        for person in persons:
            matrix = crop_matrix(person['box'], scale)
            image = cv2.imread(person['image'])
            if image is None:
                raise SystemExit(f'{person["image"]}: missing, or no image that OpenCV reads')
            crop = cv2.warpAffine(image, matrix, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR)
            start = time.process_time()
            result = pose.process(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)).pose_landmarks
            milliseconds.append(1e3 * (time.process_time() - start))
            if result is None:
                found.append(None)
                continue
            back = cv2.invertAffineTransform(matrix)
            rows = np.array([[CROP_SIDE * mark.x, CROP_SIDE * mark.y, mark.visibility] for mark in result.landmark])
            rows[:, :2] = rows[:, :2] @ back[:, :2].T + back[:, 2]
            found.append(rows.round(3).tolist())
    return found, milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('persons', type=Path, help='json file: a list of {image, box}')
    parser.add_argument('--variant', choices=VARIANTS, default='full')
    parser.add_argument('--scale', type=float, default=1.25, help='side of the crop in longer sides of the box')
    parser.add_argument('--models', type=Path, help='folder of the unpacked npm package @mediapipe/pose')
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    if find_spec('mediapipe') is None:
        raise SystemExit(
            f'no mediapipe in {sys.executable}: pip install -r requirements/peers.txt into a venv of its own'
        )
    install_model(args.variant, args.models)
    persons = json.loads(args.persons.read_text())
    landmarks, milliseconds = find_landmarks(persons, args.variant, args.scale)
    content = dict(persons=persons, crop_side=CROP_SIDE, landmarks=landmarks, milliseconds=milliseconds)
    content['mediapipe'] = version('mediapipe')
    args.out.write_text(json.dumps(content) + '\n')


if __name__ == '__main__':
    main()
