"""Speed at which stick figures are drawn on one core, and their difficulty.

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
from posestructs.datasets.stick_figure.measures import near_lookalikes
from posestructs.datasets.stick_figure.people import joint_numbers


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
