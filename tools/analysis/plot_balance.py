"""Plot the balance of generator and discriminators: ``python tools/analysis/plot_balance.py WORK_DIR [flags]``.

Draws what a run with discriminators logged: their accuracy and mean score on target and predicted maps, the share of
predicted joints that count as right, all losses, alpha and beta, and the steps that were skipped. A run and its
resumptions in one work directory become one curve.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posestructs.utils.files import atomic_write
from posestructs.utils.outputs import check_outputs
from posestructs.utils.run_logs import find_logs, read_curves, smooth
from posestructs.utils.usage import UsageError, report_usage_errors
from posestructs.utils.words import counted
from posestructs.visualization.balance_plot import draw_balance

FORMATS = ('.png', '.pdf', '.svg')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Plot the balance of generator and discriminators.')
    parser.add_argument('run', type=Path, help='a work directory, or the scalars.json of a run')
    parser.add_argument(
        '--out', type=Path, help=f'image ({" ".join(FORMATS)}); default: balance.png in the work directory'
    )
    parser.add_argument('--smooth', type=int, default=1, metavar='N', help='number of logged values to average over')
    return parser.parse_args()


@report_usage_errors
def main() -> None:
    """Plot."""
    args = parse_args()
    check_outputs(args)
    if args.smooth < 1:
        raise UsageError(f'--smooth {args.smooth}, allowed: at least 1')
    if not args.run.exists():
        raise UsageError(f'{args.run} does not exist')
    out = args.out or (args.run if args.run.is_dir() else args.run.parent) / 'balance.png'
    if out.suffix not in FORMATS:
        raise UsageError(f'--out {out}, allowed: a name that ends in {" ".join(FORMATS)}')
    files = find_logs(args.run)
    if not files:
        raise UsageError(f'{args.run} holds no scalars.json of a run')
    curves = {key: smooth(curve, args.smooth) for key, curve in read_curves(files).items()}
    try:
        figure = draw_balance(curves)
    except ValueError as error:
        raise UsageError(f'{", ".join(map(str, files))}: {error}') from error
    buffer = io.BytesIO()
    figure.savefig(buffer, format=out.suffix[1:], dpi=120)
    atomic_write(out, buffer.getvalue())
    last = max(int(curve.steps[-1]) for curve in curves.values())
    print(f'{out}: iterations up to {last} from {counted(len(files), "log")}')


if __name__ == '__main__':
    main()
