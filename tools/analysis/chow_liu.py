"""Fit the tree of highest mutual information to training poses.

Run it with ``python tools/analysis/chow_liu.py CONFIG --out tree.py [flags]``.

Reads the persons of a config's training set in the model's crops and connects those parts whose positions tell most
about each other (Chow and Liu, 1968). Writes a tree file, which configs read with ``tree=dict(from_file='tree.py')``.
Parts, joints and root are those of ``--tree``, of the config (``codec.tree``, ``tree`` or ``model.neck.tree``), or of
the data set's skeleton. No image is opened.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.config import Config
from mmengine.registry import init_default_scope

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from posestructs.structures import KinematicTree, build_tree
from posestructs.structures.chow_liu import maximum_spanning_tree, mutual_information
from posestructs.utils.cli import OptionAction, add_renamed, load_config, merge_options
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError, report_usage_errors
from tools.analysis.fit_deformation import build_training_set, check_joints, choose_tree, read_persons


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Fit the tree of highest mutual information to training poses.')
    parser.add_argument('config', help='a config file with train_dataloader')
    parser.add_argument(
        '--tree',
        help="file of a tree with the parts, e.g. lsp-26.py; default: the config's tree, or the data set's skeleton",
    )
    add_renamed(
        parser,
        '--max-persons',
        '--max-people',
        type=int,
        help='greatest number of persons, spread evenly over the set',
    )
    parser.add_argument('--out', type=Path, required=True, help='tree file to write, ending in .py')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def tree_of_config(cfg: Config, given: str | None) -> KinematicTree | None:
    """Tree of the command line, of the config's codec, or of its neck; ``None`` where there is none."""
    codec, neck = cfg.get('codec') or {}, (cfg.get('model') or {}).get('neck') or {}
    if given or codec.get('tree') or cfg.get('tree'):
        return choose_tree(cfg, given)
    return build_tree(neck['tree']) if neck.get('tree') else None


def tree_of_skeleton(metainfo: dict) -> KinematicTree:
    """Tree of a data set's skeleton."""
    try:
        return build_tree(dict(metainfo=metainfo))
    except ValueError as error:
        raise UsageError(f'train_dataloader.dataset: {error}; give --tree, e.g. lsp-26.py') from error


def tree_file(tree: KinematicTree, parents: list[int], about: str) -> str:
    """Content of a tree file with the parts of a tree and other parents."""
    lines = [f'# {about}', 'tree = dict(', '    joints=[']
    lines += [f'        {joint!r},' for joint in tree.joints]
    lines += ['    ],', '    parts=[']
    for k, name in enumerate(tree.names):
        parent = None if parents[k] < 0 else tree.names[parents[k]]
        row = f'name={name!r}, parent={parent!r}'
        if name not in tree.joints:
            weights = {joint: float(w) for joint, w in zip(tree.joints, tree.weights[k], strict=True) if w}
            row += f', of={weights!r}'
        lines.append(f'        dict({row}),')
    lines += ['    ],', '    mirror=[']
    lines += [f'        {(tree.names[k], tree.names[other])!r},' for k, other in enumerate(tree.mirror) if k < other]
    lines += ['    ],', ')']
    return '\n'.join(lines) + '\n'


@report_usage_errors
def main() -> None:
    """Fit."""
    args = parse_args()
    if args.out.suffix != '.py':
        raise UsageError(f'--out {args.out}: the name has to end in .py')
    if args.max_persons is not None and args.max_persons < 1:
        raise UsageError(f'--max-persons {args.max_persons}, allowed: at least 1')
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    tree = tree_of_config(cfg, args.tree)
    dataset = build_training_set(cfg, augment=False)
    tree = tree or tree_of_skeleton(dataset.metainfo)
    check_joints(dataset, tree)
    persons = read_persons(dataset, 1, args.max_persons)
    try:
        information = mutual_information(*tree.part_positions(persons.keypoints, persons.labelled))
    except ValueError as error:
        raise UsageError(f'{Path(args.config).name}: {error}; the parts are {", ".join(tree.names)}') from error
    parents = maximum_spanning_tree(information, tree.root)
    about = (
        f'Tree of highest mutual information, fitted to {len(persons.keypoints)} persons of {Path(args.config).name}'
    )
    atomic_write(args.out, tree_file(tree, parents, about).encode())
    known = {frozenset(edge) for edge in tree.edges}
    for child, parent in enumerate(parents):
        if parent >= 0:
            new = '' if frozenset((child, parent)) in known else '  (not in the given tree)'
            print(f'{tree.names[parent]} - {tree.names[child]}: {information[child, parent]:.2f} nats{new}')
    print(f'{args.out}: written')


if __name__ == '__main__':
    main()
