"""Remove the discriminators from a checkpoint: ``python tools/misc/strip_discriminators.py CHECKPOINT [--out FILE]``.

Of a run with discriminators it keeps the generator's weights and ``meta``, and the discriminator that the run's config
names as ``model.keep`` or that ``--keep`` names, which is part of the model at test time. Without one, mmpose's own
tools load the file with every weight in its place, and the network takes as long per image as one that was trained
without discriminators.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from posestructs.utils.checkpoints import read_safely
from posestructs.utils.cli import check_checkpoint
from posestructs.utils.discriminator_weights import kept_discriminator, strip_discriminators
from posestructs.utils.files import atomic_write
from posestructs.utils.outputs import check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Keep the generator of an adversarially trained checkpoint.')
    parser.add_argument('checkpoint', type=Path, help='a checkpoint of a run with discriminators')
    parser.add_argument('--out', type=Path, help='default: CHECKPOINT with _generator added to its name')
    parser.add_argument('--keep', metavar='NAME', help='a discriminator to keep; default: that of model.keep')
    args = parser.parse_args()
    if args.out is None:
        args.out = args.checkpoint.with_name(f'{args.checkpoint.stem}_generator.pth')
    return args


@report_usage_errors
def main() -> None:
    """Strip."""
    args = parse_args()
    check_outputs(args)
    if args.out.exists() and args.checkpoint.exists() and args.out.samefile(args.checkpoint):
        raise UsageError(f'--out {args.out} is the checkpoint itself, which a resumed run needs whole')
    check_checkpoint(str(args.checkpoint), 'checkpoint')
    try:
        checkpoint = read_safely(args.checkpoint)
        keep = kept_discriminator(checkpoint) if args.keep is None else args.keep
        kept = strip_discriminators(checkpoint, keep)
    except ValueError as error:
        raise UsageError(f'{args.checkpoint}: {error}') from error
    buffer = io.BytesIO()
    torch.save(kept, buffer)
    atomic_write(args.out, buffer.getvalue())
    sizes = [path.stat().st_size / 2**20 for path in (args.checkpoint, args.out)]
    print(
        f'{args.out}: {len(kept["state_dict"])} of {len(checkpoint["state_dict"])} weights, {sizes[1]:.1f} of '
        f'{sizes[0]:.1f} MiB' + ('' if keep is None else f', with the discriminator {keep}')
    )


if __name__ == '__main__':
    main()
