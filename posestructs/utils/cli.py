"""Command line of the tools: shared flags, and checks of configs, data and checkpoints before a run."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from posestructs.utils.checkpoint_addresses import local_copy
from posestructs.utils.checkpoints import damage, refusal
from posestructs.utils.config_bases import current_path, read_config
from posestructs.utils.config_edits import (
    PROJECT_HOOKS,
    add_project_hooks,
    complete_randomness,
    draw_predictions,
    keep_curves,
    merge_dict,
    merge_options,
    type_name,
    use_amp,
    use_tensorboard,
    use_wandb,
)
from posestructs.utils.config_keys import check_top_level_keys
from posestructs.utils.config_sections import check_sections
from posestructs.utils.data_files import describe_missing, missing_data
from posestructs.utils.downloads import discard, is_address
from posestructs.utils.option_values import OptionAction
from posestructs.utils.usage import UsageError

# the tools reach these modules through this one
__all__ = ['PROJECT_HOOKS', 'add_project_hooks', 'complete_randomness', 'draw_predictions', 'keep_curves', 'merge_dict']
__all__ += ['merge_options', 'type_name', 'use_amp', 'use_tensorboard', 'use_wandb']
__all__ += [
    'OptionAction',
    'add_common_arguments',
    'add_renamed',
    'check_checkpoint',
    'check_data',
    'has_display',
    'load_config',
]
__all__ += ['merge_common', 'not_negative', 'positive', 'require_keys', 'seed']


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing share.

    Args:
        parser: Gets the flags.
    """
    parser.add_argument('--work-dir', help='folder of logs, checkpoints and results')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument(
        '--show-dir', help='draw predictions; testing saves them here (relative: below the run in the work dir)'
    )
    parser.add_argument('--interval', type=positive, default=1, help='draw every n-th sample')
    parser.add_argument('--wait-time', type=float, default=1, help='seconds a window stays')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        default={},
        metavar='KEY=VALUE',
        help='override keys of the config, e.g. model.backbone.init_cfg=None train_cfg.max_epochs=2',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by some launchers')


def add_renamed(parser: argparse.ArgumentParser, name: str, former: str, **options: Any) -> None:
    """Add a flag that had another name, which still works but is not in ``--help``.

    Args:
        parser: Gets the flag.
        name: The flag.
        former: Its former name.
        **options: Arguments of ``add_argument``.
    """
    dest = parser.add_argument(name, **options).dest
    parser.add_argument(former, **options | dict(dest=dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS))


def positive(text: str) -> int:
    """Read a whole number above 0 from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is not a whole number above 0')
    return int(text)


def not_negative(text: str) -> int:
    """Read a whole number of at least 0 from the command line."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text} is not a whole number of at least 0')
    return int(text)


def seed(text: str) -> int:
    """Read a random seed from the command line.

    Args:
        text: A number.

    Returns:
        int: The number.

    Raises:
        argparse.ArgumentTypeError: numpy takes no such seed.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'{text} is not a number from 0 to 2**32 - 1')
    return int(text)


def load_config(path: str) -> Config:
    """Read a config file.

    Args:
        path: A file, or ``package::path`` for one that a package ships (``mmpose::body_2d_keypoint/...``).

    Returns:
        Config: The config with all its bases.

    Raises:
        UsageError: There is no such file, it cannot be read, or it has a misspelt key or a section of the wrong type.
    """
    file = Path(current_path(path))
    if '::' in path:
        package, _, inner = path.partition('::')
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise UsageError(f'config {path}: no package {package} is installed')
        file = Path(spec.submodule_search_locations[0]) / '.mim' / 'configs' / inner
    if not file.is_file():
        raise UsageError(f'config {file} does not exist')
    try:
        cfg = read_config(file)
    except ValueError as error:
        raise UsageError(f'config {error}') from error
    check_sections(cfg)
    # mmpose's convention: the preprocessor may stand beside the model
    if 'preprocess_cfg' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.preprocess_cfg)
    check_top_level_keys(cfg)
    return cfg


def require_keys(cfg: Config, *keys: str) -> None:
    """Refuse a config that lacks what the command needs.

    Args:
        cfg: The config.
        *keys: Its top-level keys that must be set.

    Raises:
        UsageError: A key is absent or ``None``.
    """
    missing = [key for key in keys if cfg.get(key) is None]
    if missing:
        raise UsageError(f'config {cfg.filename} sets no {", ".join(missing)}')


def merge_common(cfg: Config, args: argparse.Namespace) -> None:
    """Apply launcher, work directory and drawing flags.

    Args:
        cfg: The config; changed in place.
        args: Parsed flags of :func:`add_common_arguments`.

    Raises:
        UsageError: A window is asked for where none can open.
    """
    cfg.launcher = args.launcher
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)
    if args.show and not has_display():
        raise UsageError('--show needs a display (neither DISPLAY nor WAYLAND_DISPLAY is set): use --show-dir')


def check_data(cfg: Config, phases: Sequence[str]) -> None:
    """Refuse a run whose annotation files or image folders do not exist.

    Args:
        cfg: The config.
        phases: Those of ``train``, ``val`` and ``test`` that are run.

    Raises:
        UsageError: Something is missing.
    """
    missing = missing_data(cfg, phases)
    if missing:
        raise UsageError(describe_missing(missing))


def has_display() -> bool:
    """Check whether a window can open.

    Returns:
        bool: On Linux, whether a display server is named; elsewhere yes.
    """
    if not sys.platform.startswith('linux'):
        return True
    return any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))


def check_checkpoint(path: str, flag: str) -> Path | None:
    """Refuse a checkpoint that is absent, damaged, or would run code.

    Args:
        path: A file or an address; it is downloaded.
        flag: Its name on the command line, for the error.

    Returns:
        Path | None: The file; ``None`` for an address that only mmengine can read (``torchvision://`` and others).

    Raises:
        UsageError: It cannot be used; says why.
    """
    try:
        file = local_copy(path)
    except (OSError, ValueError) as error:
        raise UsageError(f'{flag} {path}: {error}') from error
    if file is None:
        return None
    if not file.is_file():
        raise UsageError(f'{flag} {path}: no such file')
    downloaded = is_address(path)  # then the user's trust in local files does not count
    problem = damage(file, opt_in=not downloaded)
    if problem and downloaded:
        discard(file)
    problem = problem or refusal(file, opt_in=not downloaded)
    if problem:
        raise UsageError(f'{flag} {path}: {problem}')
    return file
