"""Cost of training with discriminators relative to supervised training of the same generator, and cost of inference.

    python benchmarks/adversarial_step.py --out benchmarks/results/adversarial_step_cpu.json
    python benchmarks/adversarial_step.py --device cuda --batch-size 16 --rounds 30 --out ...

Training steps, optimizers included, run on the same random images with one joint in ten unlabelled: supervised; with
both discriminators in a joint step; the same with discriminators of 512 channels; and by the literal Algorithm 1, which
steps the generator twice. Inference compares mmpose's plain estimator, with the weights that ``strip_discriminators``
keeps, with the adversarial estimator with all weights and with the stripped ones.

The variants alternate in one process, in a different order each round, so that load on the machine affects all alike.
Results are medians over rounds: CPU time on a CPU, time until the device is done on a GPU.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from rich.console import Console
from rich.table import Table

import posestructs  # noqa: F401
from benchmarks.raw_results import write_results
from benchmarks.speed.pipelines import take_turns
from posestructs.utils import cli
from posestructs.utils.discriminator_weights import strip_discriminators
from posestructs.utils.machine import describe_machine

CONFIG = Path(__file__).resolve().parents[1] / 'configs' / 'adversarial_posenet' / 'apn_4x512_mpii-256x256.py'
WITHOUT = {'model.discriminators': None, 'optim_wrapper.pose': None, 'optim_wrapper.confidence': None}
WIDE = {f'model.discriminators.{name}.preset': 'paper' for name in ('pose', 'confidence')}
# changes to the config of each variant, and limits of the time relative to the supervised step
STEPS: dict[str, dict[str, Any]] = {
    'supervised': WITHOUT,
    'joint': {},
    'joint, 512 wide': WIDE,
    'literal': {'model.adversarial.algorithm': 'literal'},
}
AT_MOST, LITERAL_AT_LEAST = 1.35, 1.6
PLAIN, WHOLE, STRIPPED = 'plain estimator, stripped', 'adversarial estimator, whole', 'adversarial estimator, stripped'


def make_batch(cfg: Config, count: int, seed: int = 0) -> dict[str, list]:
    """Random images and samples as a data loader returns them.

    Args:
        cfg: Config with ``codec`` and ``model.head.out_channels``.
        count: Number of images.
        seed: Seed of the random numbers.

    Returns:
        ``inputs``, a list of (3, H, W) uint8, and ``data_samples`` with the targets of the codec.
    """
    rng = np.random.default_rng(seed)
    codec = KEYPOINT_CODECS.build(cfg.codec)
    width, height = cfg.codec.input_size
    joints = (1, cfg.model.head.out_channels)
    inputs, samples = [], []
    for _ in range(count):
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, height, width), dtype=np.uint8)))
        keypoints = rng.uniform((0, 0), (width, height), (*joints, 2)).astype(np.float32)
        visible = (rng.random(joints) > 0.1).astype(np.float32)
        occluded = (rng.random(joints) < 0.25).astype(np.float32)
        targets = codec.encode(keypoints, visible, occluded)
        sample = PoseDataSample()
        sample.gt_fields = PixelData(heatmaps=torch.from_numpy(targets.pop('heatmaps')))
        sample.gt_instance_labels = InstanceData(**{key: torch.from_numpy(value) for key, value in targets.items()})
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def make_step(cfg: Config, changes: Mapping[str, Any], batch: Mapping, device: str) -> tuple[Callable[[], Any], Any]:
    """Build the training step of a variant.

    Args:
        cfg: Config of the adversarial model; not changed.
        changes: Values by dotted key of the config.
        batch: Batch of :func:`make_batch`.
        device: Device to run on.

    Returns:
        The step, and its model.
    """
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(dict(changes))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device)
    model.init_weights()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    optim.initialize_count_status(model, 0, 10**6)
    model.train()
    # the estimator modifies the samples in place
    return lambda: model.train_step(copy.deepcopy(batch), optim), model


def make_inference(cfg: Config, trained: torch.nn.Module, batch: Mapping, device: str) -> dict[str, Callable[[], Any]]:
    """Build the inference of a trained model for each estimator and checkpoint.

    Args:
        cfg: Config of the adversarial model.
        trained: The model with its discriminators.
        batch: Batch of :func:`make_batch`.
        device: Device to run on.

    Returns:
        Functions that compute the maps of all stacks, by variant.
    """
    whole = dict(meta={}, state_dict={name: value.cpu() for name, value in trained.state_dict().items()})
    stripped = strip_discriminators(whole)
    plain = {key: value for key, value in cfg.model.items() if key not in ('discriminators', 'adversarial')}
    without = dict(cfg.model, discriminators=None)
    forms = {
        PLAIN: (dict(plain, type='TopdownPoseEstimator'), stripped),
        WHOLE: (cfg.model, whole),
        STRIPPED: (without, stripped),
    }
    images = torch.stack(batch['inputs']).float().to(device) / 255

    @torch.no_grad()
    def run(model: torch.nn.Module) -> Any:
        return model(images, None, mode='tensor')

    calls = {}
    for name, (config, checkpoint) in forms.items():
        model = MODELS.build(copy.deepcopy(config))
        model.load_state_dict(dict(checkpoint['state_dict']), strict=True)
        calls[name] = partial(run, model.to(device).eval())
    return calls


def clock(device: str) -> float:
    """Seconds, read after the device has finished all work."""
    if device == 'cpu':
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def rows_of(times: Mapping[str, Sequence[float]], images: int, kind: str) -> list[dict[str, Any]]:
    """Rows of the table; the first one is the reference.

    Args:
        times: Times of :func:`benchmarks.speed.pipelines.take_turns`.
        images: Number of images of a call.
        kind: 'step' or 'inference'.

    Returns:
        ``kind``, ``variant``, ``ms_per_image``, and the ``ratio`` to the first row with its quartiles over rounds.
    """
    reference = next(iter(times.values()))
    rows = []
    for name, seconds in times.items():
        low, _, high = np.percentile([a / b for a, b in zip(seconds, reference, strict=True)], (25, 50, 75))
        rows.append(
            dict(
                kind=kind,
                variant=name,
                ms_per_image=round(1000 * statistics.median(seconds) / images, 3),
                ratio=round(statistics.median(seconds) / statistics.median(reference), 3),
                ratio_quartiles=[round(float(low), 3), round(float(high), 3)],
            )
        )
    return rows


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', default=str(CONFIG), help='config with discriminators')
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=3, help='rounds of training steps; inference has twice as many')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision in training')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    return parser.parse_args()


def print_table(rows: list[dict[str, Any]], title: str) -> None:
    """Print the table with the aims."""
    literal = next((row for row in rows if row['variant'] == 'literal'), None)
    table = Table('', 'variant', 'ms an image', 'ratio', 'quartiles', 'aim', title=title)
    for row in rows:
        aim = ''
        if row['variant'] == 'joint':
            gain = literal['ms_per_image'] / row['ms_per_image']
            aim = f'at most {AT_MOST}; literal {gain:.2f} times as long, at least {LITERAL_AT_LEAST}'
        elif row['kind'] == 'inference' and row['variant'] != PLAIN:
            aim = '1.00'
        low, high = row['ratio_quartiles']
        cells = (f'{row["ms_per_image"]:.1f}', f'{row["ratio"]:.3f}', f'{low:.3f} to {high:.3f}', aim)
        table.add_row(row['kind'], row['variant'], *cells)
    Console(width=120).print(table)


def main() -> None:
    """Measure and report."""
    args = parse_args()
    cfg = cli.load_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope('mmpose')
    MMLogger.get_current_instance().setLevel('WARNING')  # init_weights logs each parameter
    if args.amp:
        cli.use_amp(cfg.optim_wrapper)
    batch = make_batch(cfg, args.batch_size)
    made = {name: make_step(cfg, changes, batch, args.device) for name, changes in STEPS.items()}
    now = partial(clock, args.device)
    times = take_turns({name: step for name, (step, _) in made.items()}, args.rounds, now)
    rows = rows_of(times, args.batch_size, 'step')
    trained = made['joint'][1]
    made.clear()
    # twice as many rounds, since the differences are small
    times = take_turns(make_inference(cfg, trained, batch, args.device), 2 * args.rounds, now)
    rows += rows_of(times, args.batch_size, 'inference')

    settings = dict(
        config=Path(args.config).name,
        cfg_options={key: str(value) for key, value in args.cfg_options.items()},
        device=args.device,
        batch_size=args.batch_size,
        rounds=args.rounds,
        amp=args.amp,
        clock='CPU time' if args.device == 'cpu' else 'time until the device is done',
    )
    machine = describe_machine()
    print_table(
        rows,
        f'{settings["config"]}, batches of {args.batch_size}, {settings["clock"]}, '
        f'{machine["cpu"] if args.device == "cpu" else machine["gpu"]}, {machine["commit"]}',
    )
    if args.out:
        found = dict(settings, machine=machine, rows=rows)
        write_results(args.out, found)


if __name__ == '__main__':
    main()
