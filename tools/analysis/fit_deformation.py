"""Fit mixture types and deformation weights to a training set.

Run it with ``python tools/analysis/fit_deformation.py CONFIG [flags]``.

Reads the persons of a config's training set, transforms them to the model's crops, and clusters each part's
offset to its parent. Writes one small JSON file for the codec (``deformation=...``), which holds the tree that it was
made for, and an image of the types. No image is opened.

By default persons are cropped as for testing, so that types describe the poses of the data set; ``--augment 4`` draws
each person four times through the config's own random flips, rotations, scalings and half bodies.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmpose.registry import DATASETS, TRANSFORMS
from rich.progress import track

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
import mmpose.datasets.transforms as mmpose_transforms

from posestructs.datasets.base import CheckedPoseMixin
from posestructs.structures import Deformation, KinematicTree, build_tree
from posestructs.structures.offset_clusters import fit_types
from posestructs.utils.cli import OptionAction, add_renamed, load_config, merge_options, seed
from posestructs.utils.dataset_configs import build_dataset, dataset_config, map_pipelines, step_name
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.visualization.deformation_drawing import draw_deformation

CROPPING = ('GetBBoxCenterScale', 'TopdownAffine', 'KeypointConverter')
AUGMENTING = ('RandomFlip', 'RandomBBoxTransform', 'RandomHalfBody')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Fit mixture types and deformation weights to a training set.')
    parser.add_argument('config', help='a config file with train_dataloader')
    parser.add_argument('--tree', help="file of the tree, e.g. lsp-26.py; default: the config's tree or codec.tree")
    parser.add_argument('--num-types', type=int, default=13, help='number of types of each part')
    parser.add_argument('--restarts', type=int, default=50, help='number of runs of K-means')
    parser.add_argument('--seed', type=seed, default=0, help='seed of K-means and of --augment')
    parser.add_argument('--augment', type=int, default=0, metavar='N', help='take each person N times, augmented')
    add_renamed(
        parser,
        '--max-persons',
        '--max-people',
        type=int,
        help='greatest number of persons, spread evenly over the set',
    )
    parser.add_argument(
        '--trim', type=float, default=0.0, metavar='SHARE', help='share of the offsets to leave out as outliers'
    )
    parser.add_argument('--out', type=Path, help='default: work_dirs/deformation/<config>.json')
    add_renamed(parser, '--plot', '--picture', type=Path, help='default: beside --out, ending in .png')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


class Persons(NamedTuple):
    """N persons in crops whose longer side is 1: joints (N, K, 2), whether labelled (N, K), w / h of the crop."""

    keypoints: np.ndarray
    labelled: np.ndarray
    aspect_ratio: float


def keep_joint_steps(dataset: dict, augment: bool) -> list[str]:
    """Reduce the pipelines of a data set's config to those steps that move joints, in place.

    Args:
        dataset: The config.
        augment: Keep random steps.

    Returns:
        list[str]: Names of the steps left out.
    """
    kept = tuple(getattr(mmpose_transforms, name) for name in (*CROPPING, *(AUGMENTING if augment else ())))
    left_out: list[str] = []

    def change(pipeline: list) -> list:
        steps = []
        for step in pipeline:
            kind = TRANSFORMS.get(step['type']) if isinstance(step.get('type'), str) else step.get('type')
            if isinstance(kind, type) and issubclass(kind, kept):
                steps.append(step)
            else:
                left_out.append(step_name(step))
        return [stand_in, *steps]

    leave_out_backgrounds(dataset)
    map_pipelines(dataset, change)
    do_not_look_for_images(dataset)
    return list(dict.fromkeys(left_out))


def leave_out_backgrounds(dataset: dict) -> None:
    """Drop data sets of images without persons from a concatenation, in place."""
    if dataset.get('datasets'):
        dataset['datasets'] = [part for part in dataset['datasets'] if part.get('type') != 'BackgroundDataset']


def stand_in(results: dict) -> dict:
    """One pixel in place of the image, on whose size no offset depends."""
    results['img'] = np.zeros((1, 1, 3), dtype=np.uint8)
    results['img_shape'] = (1, 1)
    return results


def do_not_look_for_images(dataset: dict) -> None:
    """Skip the check for images: annotations suffice."""
    kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else dataset.get('type')
    if isinstance(kind, type) and issubclass(kind, CheckedPoseMixin):
        dataset['check_images'] = False
    for inner in dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else []):
        do_not_look_for_images(inner)


def build_training_set(cfg: Config, augment: bool) -> Any:
    """Build the training set of a config, without images."""
    left_out = keep_joint_steps(dataset_config(cfg, 'train'), augment)
    dataset = build_dataset(cfg, 'train')
    print(f'{len(dataset)} persons; steps of the pipeline left out: {", ".join(left_out) or "none"}')
    return dataset


def read_persons(dataset: Any, draws: int, most: int | None) -> Persons:
    """Transform persons to their crops.

    Args:
        dataset: Its samples are results with ``transformed_keypoints`` and ``input_size``.
        draws: Number of times to take each person.
        most: Greatest number of persons, evenly spread.
    """
    count = len(dataset) if most is None else min(most, len(dataset))
    indices = np.linspace(0, len(dataset) - 1, count).round().astype(int)
    keypoints, labelled, sizes = [], [], set()
    for i in track([i for i in indices for _ in range(draws)], 'persons'):
        results = dataset[int(i)]
        if 'transformed_keypoints' not in results:
            raise UsageError(
                'train_dataloader.dataset: its pipeline has no TopdownAffine, which cuts out the person; mixture types '
                'are of top-down crops'
            )
        sizes.add(tuple(results['input_size']))
        keypoints.append(results['transformed_keypoints'][..., :2])
        visible = np.asarray(results['keypoints_visible'])
        labelled.append((visible if visible.ndim == 2 else visible[..., 0]) > 0)
    if len(sizes) != 1:
        raise UsageError(f'train_dataloader.dataset gives crops of several sizes: {sorted(sizes)}')
    width, height = sizes.pop()
    return Persons(np.concatenate(keypoints) / max(width, height), np.concatenate(labelled), width / height)


def choose_tree(cfg: Config, given: str | None) -> KinematicTree:
    """The tree of the command line, else of the config."""
    codec = cfg.get('codec') or {}
    source = dict(from_file=given) if given else codec.get('tree') or cfg.get('tree')
    if source is None:
        raise UsageError(f'config {cfg.filename} sets neither tree nor codec.tree: give --tree, e.g. lsp-26.py')
    try:
        return build_tree(source)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f'tree: {error.args[0] if isinstance(error, KeyError) else error}') from error


def check_joints(dataset: Any, tree: KinematicTree) -> None:
    """The data set's joints must be the tree's, in order."""
    names = dataset.metainfo['keypoint_id2name']
    names = [names[k] for k in range(len(names))]
    if names != list(tree.joints):
        raise UsageError(f'the data set has the joints {names}, the tree {list(tree.joints)}')


def table(deformation: Deformation, labelled: np.ndarray) -> str:
    """Table of the fitted types, one line per part."""
    tree = deformation.tree
    rows = [f'{"part":<20}{"persons":>8}{"rarest type":>13}{"spread x":>10}{"spread y":>10}']
    for v, name in enumerate(tree.names):
        spread = np.sqrt((deformation.frequencies[v, :, None] * deformation.variances[v]).sum(axis=0))
        rare = deformation.frequencies[v].min()
        rows.append(f'{name:<20}{labelled[:, v].sum():>8}{rare:>13.2%}{spread[0]:>10.4f}{spread[1]:>10.4f}')
    return '\n'.join([*rows, 'spread: standard deviation within types, in sides of the crop'])


def fit(tree: KinematicTree, persons: Persons, args: argparse.Namespace, source: str) -> Deformation:
    """Fit the types."""
    positions, labelled = tree.part_positions(persons.keypoints, persons.labelled)
    options = dict(restarts=args.restarts, seed=args.seed, trim=args.trim)
    try:
        return fit_types(
            tree, positions, labelled, args.num_types, aspect_ratio=persons.aspect_ratio, source=source, **options
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


@report_usage_errors
def main() -> None:
    args = parse_args()
    check_outputs(args)
    for flag, value, low in (('--augment', args.augment, 0), ('--max-persons', args.max_persons, 1)):
        if value is not None and value < low:
            raise UsageError(f'{flag} {value}, allowed: at least {low}')
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    set_random_seed(args.seed)
    tree = choose_tree(cfg, args.tree)
    dataset = build_training_set(cfg, args.augment > 0)
    check_joints(dataset, tree)
    persons = read_persons(dataset, max(args.augment, 1), args.max_persons)
    augmented = f', each {args.augment} times, augmented' if args.augment else ''
    count = len(persons.keypoints) // max(args.augment, 1)
    source = f'{count} persons of {Path(cfg.filename).name}{augmented}'
    deformation = fit(tree, persons, args, source)
    positions, labelled = tree.part_positions(persons.keypoints, persons.labelled)
    out = args.out or Path('work_dirs', 'deformation', f'{Path(cfg.filename).stem}.json')
    drawing = args.plot or out.with_suffix('.png')
    deformation.save(out)
    mmcv.imwrite(draw_deformation(deformation, positions, labelled)[..., ::-1], str(drawing))
    print(table(deformation, labelled))
    size = out.stat().st_size / 1000
    print(f'{deformation.num_types} types of {tree.num_parts} parts in {out} ({size:.0f} kB), drawn in {drawing}')


if __name__ == '__main__':
    main()
