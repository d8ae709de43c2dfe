"""Draw the samples of a data set with their labels: ``python tools/misc/browse_dataset.py CONFIG [flags]``.

Draws its samples as they are (``--mode original``), as the model gets them (``transformed``), or after each step of the
pipeline (``pipeline``). Visible joints are discs, occluded ones rings, those of unknown visibility squares.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from rich.progress import track

import posestructs  # noqa: F401  makes mmpose importable and registers every component
from posestructs.utils.cli import OptionAction, has_display, load_config, merge_options
from posestructs.utils.dataset_configs import build_dataset, dataset_config, map_pipelines, pack_transformed
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.words import counted
from posestructs.visualization import browsing, contact_sheet, draw_legend, stack_rows

MODES = ('original', 'transformed', 'pipeline')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw the samples of a data set with their labels.')
    parser.add_argument('config', help='a config file, or mmpose::path of one that mmpose ships')
    parser.add_argument('--mode', choices=MODES, default='transformed', help='before, after or along the pipeline')
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='train', help='data loader of the config')
    parser.add_argument(
        '--out-dir',
        '--output-dir',
        dest='output_dir',
        help='default: work_dirs/browse/<config>/<phase>_<mode>, unless --show is given',
    )
    parser.add_argument(
        '--max-item-num',
        '--max-item-per-dataset',
        type=int,
        default=50,
        help='greatest number of samples, of each data set of a union',
    )
    parser.add_argument('--min-side', type=int, default=320, help='enlarge smaller images to this shorter side')
    parser.add_argument('--sheet', type=int, metavar='COLUMNS', help='also write all images as one, sheet.png')
    parser.add_argument('--seed', type=int, help='random seed of the pipeline')
    parser.add_argument('--show', action='store_true', help='show each in a window')
    parser.add_argument('--not-show', dest='show', action='store_false', help='the default; for mmpose users')
    parser.add_argument('--show-interval', type=float, default=2, help='seconds a window stays; 0 waits for a key')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        default={},
        metavar='KEY=VALUE',
        help='override keys of the config',
    )
    return parser.parse_args()


def make_drawer(args: argparse.Namespace, cfg: Config) -> tuple[object, Callable[[int], np.ndarray | None]]:
    """The data set, and what draws its i-th sample; nothing for one that the data set or pipeline leaves out."""
    config = dataset_config(cfg, args.phase)
    metainfo: dict = {}
    recorder = browsing.StageRecorder(lambda results: browsing.draw_results(results, metainfo, args.min_side))
    captions: list[str] = []

    def caption(results: dict) -> dict:
        captions[:] = [browsing.describe(results)]
        return results

    def change(pipeline: list) -> list:
        if args.mode == 'original':
            load = dict(type='LoadVerifiedImage', backend_args=cfg.get('backend_args'))
            return [load, recorder.after('original'), caption]
        pipeline = pack_transformed(pipeline)
        steps = recorder.into(pipeline) if args.mode == 'pipeline' else pipeline
        return [*steps[:-1], caption, steps[-1]]

    map_pipelines(config, change)
    dataset = build_dataset(cfg, args.phase)
    metainfo.update(dataset.metainfo)
    get = getattr(
        dataset, 'prepare_data', dataset.__getitem__
    )  # which, other than [], puts no other in a bad one's place

    def draw(index: int) -> np.ndarray | None:
        recorder.clear()
        sample = get(index)
        if sample is None:
            return None
        if args.mode == 'transformed':
            image = browsing.draw_packed(sample, metainfo, args.min_side)
        else:
            image = recorder.sheet(4) if args.mode == 'pipeline' else recorder.images[-1]
        return contact_sheet([image], 1, [f'{index}  {captions[0]}'])

    return dataset, draw


def indices(dataset, most: int) -> Iterator[int]:
    """The first samples; of a combined data set the first of each part in turn."""
    lengths = getattr(dataset, 'lens', [len(dataset)])
    starts = np.cumsum([0, *lengths[:-1]])
    for i in range(min(most, max(lengths))):
        yield from (int(start) + i for start, length in zip(starts, lengths, strict=True) if i < length)


def show(image: np.ndarray, seconds: float) -> None:
    """Show an image in a window."""
    try:
        cv2.imshow('browse_dataset', image[..., ::-1])
        cv2.waitKey(max(0, round(seconds * 1000)))
    except cv2.error as e:
        raise UsageError('--show needs an OpenCV with windows (opencv-python, not opencv-python-headless)') from e


@report_usage_errors
def main() -> None:
    args = parse_args()
    check_outputs(args)
    for flag, value in (('--max-item-num', args.max_item_num), ('--sheet', args.sheet)):
        if value is not None and value < 1:
            raise UsageError(f'{flag} {value}, allowed: at least 1')
    if args.show and not has_display():
        raise UsageError('--show needs a display (neither DISPLAY nor WAYLAND_DISPLAY is set): use --out-dir')
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    if args.seed is not None:
        set_random_seed(args.seed)
    dataset, draw = make_drawer(args, cfg)
    output = args.output_dir
    if output is None and not args.show:
        output = Path('work_dirs', 'browse', Path(cfg.filename).stem, f'{args.phase}_{args.mode}')

    images, failures = [], []
    for index in track(list(indices(dataset, args.max_item_num)), f'{args.phase}, {args.mode}'):
        try:
            image = draw(index)
        except (OSError, AssertionError) as e:  # what mmpose's and our own loading raise for a bad image
            failures.append(f'sample {index}: {e}')
            continue
        if image is None:
            failures.append(f'sample {index}: left out by the data set or its pipeline')
            continue
        images.append(image)
        whole = stack_rows([image, draw_legend(image.shape[1])])
        if output is not None:
            mmcv.imwrite(whole[..., ::-1], str(Path(output) / f'{index:06d}.png'))
        if args.show:
            show(whole, args.show_interval)
    for failure in failures:
        print(failure, file=sys.stderr)
    if not images:
        raise UsageError(f'none of {len(failures)} samples could be drawn')
    if output is not None:
        if args.sheet:
            sheet = contact_sheet(images, args.sheet)
            mmcv.imwrite(stack_rows([sheet, draw_legend(sheet.shape[1])])[..., ::-1], str(Path(output) / 'sheet.png'))
        not_drawn = f', {counted(len(failures), "sample")} not drawn' if failures else ''
        print(f'{counted(len(images), "image")} in {output}{not_drawn}')


if __name__ == '__main__':
    main()
