"""Convert MPII's occlusion labels for mmpose's annotation file.

    python tools/dataset_converters/mpii_occlusion.py mpii_val.json valid.h5 --out mpii_val_occlusion.npz
    python tools/dataset_converters/mpii_occlusion.py mpii_train.json mpii_human_pose_v1_u12_1.mat

Persons are matched by image and position. The report says how many joints were found and how many are occluded.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from posestructs.datasets.mpii_files import check_mpii_json, save_sidecar
from posestructs.datasets.mpii_visibility import match_persons, read_visibility
from posestructs.datasets.readers import read_json
from posestructs.utils.outputs import check_output_file


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', type=Path, help="mmpose's MPII json")
    parser.add_argument('source', type=Path, help='official .mat, or train.h5 or valid.h5 of the hourglass release')
    parser.add_argument(
        '--out', type=Path, help='side-car to write (default: <ann_file>_occlusion.npz beside ann_file)'
    )
    parser.add_argument(
        '--tolerance', type=float, default=1.5, help='pixels between two positions of a joint (%(default)s)'
    )
    parser.add_argument(
        '--unflagged',
        choices=('visible', 'unknown'),
        default='visible',
        help='what upper neck and head top are, which MPII does not flag (%(default)s, as in the h5)',
    )
    args = parser.parse_args(argv)
    if not 0 <= args.tolerance < math.inf:
        parser.error(f'--tolerance {args.tolerance}, allowed: at least 0')
    if args.out is None:
        args.out = args.ann_file.with_name(f'{args.ann_file.stem}_occlusion.npz')
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Its arguments.

    Returns:
        int: Exit status, 1 where a file is at fault or no joint was found.
    """
    args = parse_args(argv)
    try:
        check_output_file('--out', args.out)
        images, joints, labelled = check_mpii_json(read_json(args.ann_file), args.ann_file)
        source = read_visibility(args.source, args.unflagged)
    except (FileNotFoundError, ValueError) as error:
        print(f'{Path(sys.argv[0]).name}: error: {error}', file=sys.stderr)
        return 1
    occluded, report = match_persons(images, joints, labelled, source, args.tolerance)
    if not report.joints_matched:
        print(
            f'{Path(sys.argv[0]).name}: error: no person of {args.ann_file} is in {args.source}; nothing written',
            file=sys.stderr,
        )
        return 1
    save_sidecar(args.out, occluded, images, joints)
    print(f'persons:  {report.persons_matched} of {report.persons} matched')
    print(f'joints:   {report.joints_matched} of {report.joints} labelled joints matched', end='')
    print(f', {report.joints - report.joints_known} have no known visibility')
    print(
        f'occluded: {report.joints_occluded} = {report.percent_occluded:.1f} % of {report.joints_known} labelled joints'
    )
    print(f'written:  {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
