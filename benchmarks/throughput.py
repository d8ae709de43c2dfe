"""Images per second in training: data pipeline alone, step alone, and both with several numbers of workers.

    python benchmarks/throughput.py --out benchmarks/results/throughput.json
    python benchmarks/throughput.py --layouts                             # default layout and channels last
    python benchmarks/throughput.py --report docs/benchmarks.md           # from an existing result

The main config of each method is compared with mmpose's hourglass. The cost of a pipeline is relative to mmpose's
top-down heatmap pipeline on the same data set: images of both are prepared alternately in one process, so that load on
the machine affects both alike, and the result is the median over rounds of the ratio.

``--layouts`` measures something else and adds it to the results: the CPU time of a training step on one thread in
torch's default layout, with weights stored channels last, and with frozen stages.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.registry import init_default_scope

import posestructs  # noqa: F401  makes mmpose importable and registers every component

# isort: split
from benchmarks.page import write_section
from benchmarks.raw_results import write_results
from benchmarks.speed.devices import check_device, is_gpu
from benchmarks.speed.layouts import layouts_section, measure_layouts
from benchmarks.speed.measure import measure_model
from benchmarks.speed.pipelines import measure_pipelines
from benchmarks.speed.report import pipeline_table, speed_section, speed_table
from posestructs.utils import cli
from posestructs.utils.machine import describe_machine
from posestructs.utils.usage import UsageError, report_usage_errors

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / 'benchmarks' / 'results' / 'throughput.json'
# mmpose's model first: its pipeline is the reference
CONFIGS = (
    'configs/baseline/td-hm_hourglass-small_lspet-mini-128x128.py',
    'configs/structured_feature/sfl-separable_gen64_lspet-mini-128x128.py',
    'configs/adversarial_posenet/apn_2x56_lspet-mini-128x128.py',
    'configs/hybrid/apn-tree_2x56_lspet-mini-128x128.py',
)


LAYOUT_CONFIGS = (
    'configs/baseline/td-hm_efficientnet-lite0_lspet-mini-128x128.py',
    'configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--configs', nargs='+', help='the first one is the reference')
    parser.add_argument('--layouts', action='store_true', help='measure layouts of the weights alone; --rounds of them')
    parser.add_argument('--workers', nargs='+', type=int, default=[0, 2, 4, 8], help='data loading processes')
    parser.add_argument('--seconds', type=float, default=10.0, help='minimum duration of each measurement')
    parser.add_argument('--rounds', type=int, default=40, help='rounds of the pipelines')
    parser.add_argument('--images', type=int, default=64, help='images of a round')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda or cuda:N')
    parser.add_argument('--out', type=Path, default=RESULT, help='JSON file of the results')
    parser.add_argument('--report', type=Path, metavar='PAGE', help='only write the tables into a Markdown page')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    args = parser.parse_args()
    args.configs = args.configs or list(LAYOUT_CONFIGS if args.layouts else CONFIGS)
    if args.seconds <= 0 or args.rounds < 1 or args.images < 1 or min(args.workers) < 0:
        parser.error('allowed: --seconds, --rounds and --images above 0, --workers from 0')
    return args


def report(page: Path, result: Path) -> None:
    """Write the throughput part of a page.

    Args:
        page: File of the page.
        result: Result of an earlier call; if it does not exist, the page says so.
    """
    found = json.loads(result.read_text()) if result.is_file() else None
    section = speed_section(found if found and 'models' in found else None)
    if found and 'layouts' in found:
        section += f'\n\n{layouts_section(found["layouts"])}'
    write_section(page, 'throughput', section)
    sys.stdout.write(f'{page}: written\n')


@report_usage_errors
def main() -> None:
    """Measure and report."""
    args = parse_args()
    if args.report:
        report(args.report, args.out)
        return
    check_device(args.device)
    machine = describe_machine()  # before the measurement, since another commit may be checked out meanwhile
    if is_gpu(args.device):
        machine['gpu'] = torch.cuda.get_device_name(args.device)  # not necessarily the first one
    init_default_scope('mmpose')
    configs = {}
    for path in args.configs:
        cfg = cli.load_config(path)
        cli.merge_options(cfg, args.cfg_options)
        if Path(path).stem in configs:
            raise UsageError(f'--configs {path}, allowed: files of different names')
        configs[Path(path).stem] = cfg
    known = json.loads(args.out.read_text()) if args.out.is_file() else {}
    if args.layouts:
        layouts = [measure_layouts(cfg, args.rounds) for cfg in configs.values()]
        known['layouts'] = dict(machine=machine, rounds=args.rounds, models=layouts)
        write_results(args.out, known)
        sys.stdout.write(layouts_section(known['layouts']) + '\n')
        return
    pipelines = measure_pipelines(configs, args.rounds, args.images)
    sys.stdout.write(pipeline_table(pipelines) + '\n')
    models = []
    for path, name in zip(args.configs, configs, strict=True):
        # in a process of its own, to measure its peak memory
        models.append(measure_model(path, args.cfg_options, args.workers, args.seconds, args.device))
        sys.stdout.write(f'{name}: measured\n')
        sys.stdout.flush()
    given = {key: getattr(args, key) for key in ('device', 'workers', 'seconds', 'rounds', 'images')}
    found = dict(machine=machine, **given, pipelines=pipelines, models=models)
    found |= {key: known[key] for key in ('layouts',) if key in known}
    write_results(args.out, found)
    sys.stdout.write(speed_table(models) + '\n')


if __name__ == '__main__':
    main()
