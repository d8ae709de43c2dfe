"""Benchmark of synthetic figures: speed of drawing on one core, and difficulty of the images.

    python benchmarks/stick_figure.py

Speed is the best of several runs by CPU time, so that load on the machine has little effect.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from posestructs.datasets import StickFigureDataset
from posestructs.datasets.stick_figure import SceneOptions, draw_scene
from posestructs.datasets.stick_figure.distractors import Lookalike, middle_of
from posestructs.datasets.stick_figure.limbs import KINDS, limb_circles
from posestructs.datasets.stick_figure.persons import joint_numbers
from posestructs.datasets.stick_figure.scene import Scene
from posestructs.datasets.stick_figure.sketch import OWNER, Sketch

CLEARLY_SEEN = 0.3  # share of a limb's pixels
SIMILAR = 40.0  # grey levels between the mean colours of two limbs


def near_lookalikes(scene: Scene) -> list[Lookalike]:
    """The look-alikes of an image that can be mistaken for a limb of the person.

    Each is of the same class as its twin (arm or leg) by construction, and counts where

    - its middle (the mean of its three joints) lies within one torso length of its twin's, both in the image; the torso
      length is that of TorsoPCK, from the left shoulder to the right hip;
    - at least 30 % of its pixels are seen;
    - its mean colour in the image differs from its twin's by at most 40 grey levels a channel, in the mean of the
      channels, where anything is seen of the twin.

    Args:
        scene: An image.

    Returns:
        list[Lookalike]: Those that count.
    """
    (ax, ay, _), (bx, by, _) = (scene.pen.seen[name] for name in ('left_shoulder', 'right_hip'))
    torso = ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
    found = []
    for limb in scene.lookalikes:
        x, y = middle_of(limb_circles(scene.pen, limb.kind, limb.twin))
        near = (limb.middle[0] - x) ** 2 + (limb.middle[1] - y) ** 2 <= torso**2
        if near and visible_share(scene, limb) >= CLEARLY_SEEN and colour_distance(scene, limb) <= SIMILAR:
            found.append(limb)
    return found


def visible_share(scene: Scene, limb: Lookalike) -> float:
    """Share of a look-alike's pixels, those outside the image included, that are visible."""
    circles = np.array(limb.circles)
    margin = int(np.abs(circles).max()) + 2  # room for what lies outside, on every side
    alone = Sketch()
    for start, end in zip(circles, circles[1:], strict=False):
        shift = np.array([margin, margin, 0.0])
        alone.capsule(1, tuple(start + shift), tuple(end + shift))
    canvas = np.zeros([side + 2 * margin for side in scene.canvas.shape], np.uint8)
    alone.paint(canvas)
    return min(1.0, np.count_nonzero(scene.owners == limb.owner) / max(1, np.count_nonzero(canvas)))


def colour_distance(scene: Scene, limb: Lookalike) -> float:
    """Mean difference a channel between the mean colours of a look-alike and its twin; 0 where either is not seen."""
    owners = scene.owners[::2, ::2]
    mine = scene.image[owners == limb.owner]
    parts = [OWNER[f'{limb.twin}_{part}'] for part in KINDS[limb.kind].parts]
    other = scene.image[np.isin(owners, parts)]
    if not len(mine) or not len(other):
        return 0.0
    return float(np.abs(mine.mean(axis=0) - other.mean(axis=0)).mean())


def images_per_second(dataset: StickFigureDataset, count: int, runs: int) -> float:
    """Best speed of a data set in images per second of CPU time.

    Args:
        dataset: Data set without a pipeline.
        count: Images of a run.
        runs: Number of runs.
    """
    dataset[0]  # textures are made once per process
    best = float('inf')
    for run in range(runs):
        start = time.process_time()
        for number in range(count):
            dataset[run * count + number]
        best = min(best, time.process_time() - start)
    return count / best


def difficulty(options: SceneOptions, count: int, joints: Sequence[int]) -> tuple[float, float]:
    """Share of occluded joints, and of images with a look-alike limb near its twin, both in percent.

    Args:
        options: Options of the images.
        count: Number of images.
        joints: Joints that count.
    """
    scenes = [draw_scene(0, index, options=options) for index in range(count)]
    labelled = np.stack([scene.labelled[joints] for scene in scenes])
    occluded = np.stack([scene.occluded[joints] for scene in scenes])
    confusing = [bool(near_lookalikes(scene)) for scene in scenes]
    return 100 * occluded[labelled].mean(), 100 * float(np.mean(confusing))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--sizes', type=int, nargs='+', default=[64, 128, 256], help='sides of the images in pixels')
    parser.add_argument('--num', type=int, default=200, help='images of a run')
    parser.add_argument('--runs', type=int, default=5, help='runs of each size; the best counts')
    args = parser.parse_args()
    cv2.setNumThreads(1)

    speed = Table('image size', 'images/s on one core', title='StickFigureDataset, drawing only')
    for size in args.sizes:
        dataset = StickFigureDataset(args.num * args.runs, image_size=size)
        speed.add_row(f'{size} x {size}', f'{images_per_second(dataset, args.num, args.runs):.0f}')

    kinds = {
        'default': SceneOptions(),
        'no occluders': SceneOptions(occluder_prob=0.0),
        'always occluders': SceneOptions(occluder_prob=1.0),
    }
    hard = Table('images', 'LSP joints occluded', 'MPII joints occluded', 'look-alike limb near its twin')
    for name, options in kinds.items():
        shares = {}
        for joint_set in ('lsp', 'mpii'):
            names = StickFigureDataset(1, joint_set=joint_set).metainfo['keypoint_id2name']
            shares[joint_set], confusing = difficulty(options, args.num, joint_numbers(names))
        hard.add_row(name, f'{shares["lsp"]:.1f} %', f'{shares["mpii"]:.1f} %', f'{confusing:.1f} %')
    console = Console(width=100)
    console.print(speed)
    console.print(hard)


if __name__ == '__main__':
    main()
