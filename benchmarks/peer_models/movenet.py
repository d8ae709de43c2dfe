"""MoveNet Lightning and Thunder with their output layers, from the published TensorFlow.js files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmpose.registry import MODELS
from mmpose.structures.bbox import get_warp_matrix
from torch import Tensor, nn

import posestructs  # noqa: F401  registers MoveNetBackbone
from benchmarks.peer_models.persons import image_of
from posestructs.utils.usage import UsageError
from tools.model_converters.movenet_to_mmpose import convert, read_weights

ARCHS = ('lightning', 'thunder')
PADDING = 1.25
_CENTER_WEIGHTS = 'ConstantFolding/StatefulPartitionedCall/truediv_2_recip'


class MoveNet(nn.Module):
    """MoveNet with its output layers and its decoding, as in the published graph.

    Args:
        model: ``movenet-lightning.json`` or ``movenet-thunder.json``.

    Raises:
        ValueError: The file is of another model, or its binary file is cut off.
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
        if _CENTER_WEIGHTS not in arrays:
            raise ValueError(f'{model}: not a MoveNet single-pose model of version 4: {_CENTER_WEIGHTS} is missing')
        weights = arrays[_CENTER_WEIGHTS]
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
        # not hypot, which cannot be exported to ONNX
        distance = ((rows - expected[..., :1, None]) ** 2 + (columns - expected[..., 1:, None]) ** 2).sqrt()
        # argmax over cells of heat / (distance + 1.8)
        best = (heat / (distance + 1.8)).flatten(2).argmax(2)
        offsets = offset.view(n, k, 2, h * w).gather(3, best[..., None, None].expand(n, k, 2, 1))[..., 0]
        score = heat.flatten(2).gather(2, best[..., None])[..., 0]
        return torch.stack([(best % w + offsets[..., 1]) * 4, (best // w + offsets[..., 0]) * 4, score], -1)


def read_movenets(folder: Path) -> dict[str, MoveNet]:
    """Both MoveNets by name, from the folder of their published files.

    Raises:
        UsageError: A file is missing, cut off or of another model.
    """
    try:
        return {f'movenet-{arch}': MoveNet(folder / f'movenet-{arch}.json').eval() for arch in ARCHS}
    except OSError as error:
        raise UsageError(f'--movenet {folder}: {error.filename}: {error.strerror}') from error
    except (ValueError, RuntimeError) as error:
        raise UsageError(f'--movenet {folder}: {" ".join(str(error).split())}') from error


def predict(model: MoveNet, infos: Sequence[dict], batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Run a model on persons with given boxes.

    Args:
        model: The network.
        infos: Annotations of a data set: ``img`` or ``img_path``, and ``bbox`` (1, 4).
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
            crops.append(cv2.warpAffine(image_of(info), matrix, (size, size), flags=cv2.INTER_LINEAR)[..., ::-1].copy())
            inverse.append(cv2.invertAffineTransform(matrix))
        with torch.no_grad():
            out = model(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()).double().numpy()
        for pose, back in zip(out, inverse, strict=True):
            found.append(np.concatenate([pose[:, :2] @ back[:, :2].T + back[:, 2], pose[:, 2:]], 1))
    found = np.stack(found)
    return found[..., :2], found[..., 2]


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
