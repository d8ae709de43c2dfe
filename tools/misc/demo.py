"""Train a small model on drawn people, evaluate it, and show its predictions beside the truth.

It runs the commands a user would run and prints them; ``make demo`` calls it. The results are in ``work_dirs/demo/``.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from posestructs.evaluation.tables import metrics_table
from posestructs.visualization import contact_sheet, draw_legend, draw_pose, side_by_side, stack_rows

# isort: split
# after posestructs, which makes it importable
from mmpose.apis import init_model

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str) -> None:
    """Print a command of the project and run it."""
    sys.stdout.write(f'\n$ python {shlex.join(command)}\n')
    sys.stdout.flush()
    done = subprocess.run([sys.executable, *command], cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.returncode)


def picture(config: Config, checkpoint: Path, people: int) -> np.ndarray:
    """Draw test people with the truth and with what a model predicts.

    Args:
        config: Its model and its test data are used.
        checkpoint: Weights of the model.
        people: How many, from the first.

    Returns:
        np.ndarray: (H, W, 3) RGB picture.
    """
    model = init_model(config, str(checkpoint), device='cpu')
    dataset = DATASETS.build(config.test_dataloader.dataset)
    pairs = []
    for i in range(people):
        info = dataset.get_data_info(i)
        image = mmcv.bgr2rgb(info['img'] if 'img' in info else mmcv.imread(info['img_path']))
        found = model.test_step(pseudo_collate([dataset[i]]))[0].pred_instances
        meta, scale = dataset.metainfo, max(1, 192 / max(image.shape[:2]))
        labels = info['keypoints_visible'], info.get('keypoints_occluded')
        truth = draw_pose(image, info['keypoints'], *labels, meta, scale=scale)
        guess = draw_pose(image, found.keypoints, metainfo=meta, scale=scale)
        pairs.append(side_by_side([truth, guess]))
    sheet = contact_sheet(pairs, columns=4, titles=['truth | prediction'] * people)
    return stack_rows([sheet, draw_legend(sheet.shape[1])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', default='configs/demo/td-hm_res18-small_stick-figure-64x64.py')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument('--people', type=int, default=16, help='number of people in the picture')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='passed on to both commands')
    args = parser.parse_args()
    folder = args.work_dir.resolve()
    options = ('--work-dir', str(folder), *(['--cfg-options', *args.cfg_options] if args.cfg_options else []))

    begin = time.time()
    run('tools/train.py', args.config, '--no-validate', '--seed', '0', *options)
    minutes = (time.time() - begin) / 60
    checkpoint = Path((folder / 'last_checkpoint').read_text().strip())
    metrics_file = folder / 'metrics.json'
    run('tools/test.py', args.config, str(checkpoint), '--out', str(metrics_file), *options)

    table = metrics_table(json.loads(metrics_file.read_text()))
    (folder / 'metrics.md').write_text(table + '\n')
    init_default_scope('mmpose')
    drawn = picture(Config.fromfile(ROOT / args.config), checkpoint, args.people)
    mmcv.imwrite(mmcv.rgb2bgr(drawn), str(folder / 'predictions.png'))
    log = max(folder.glob('*/*.log'), key=lambda path: path.stat().st_mtime)
    sys.stdout.write(
        f'\n{table}\n\nTrained in {minutes:.1f} minutes. What there is to look at:\n'
        f'  picture  {folder / "predictions.png"}\n  table    {folder / "metrics.md"}\n  log      {log}\n'
    )


if __name__ == '__main__':
    main()
