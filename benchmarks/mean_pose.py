"""Mean-pose predictor: the average training pose, stretched to the box.

It is the baseline of every model, and uses the data sets and metrics of a config, but no image:

    python benchmarks/mean_pose.py configs/baseline/td-hm_res18_lspet-mini-128x128.py
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.registry import DATASETS

import posestructs  # noqa: F401
from benchmarks.raw_results import write_results
from posestructs.evaluation.tables import metrics_table
from posestructs.utils.cli import OptionAction
from posestructs.utils.dataset_configs import map_pipelines

# fields that a metric may read, by their names in mmpose's data samples
TARGETS = dict(PackPoseInputs.instance_mapping_table, keypoints_occluded='keypoints_occluded')


def mean_pose(keypoints: np.ndarray, labelled: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Average poses in the frames of their boxes.

    Args:
        keypoints: (N, K, 2) joints in pixels.
        labelled: (N, K), whether a joint is labelled.
        boxes: (N, 4) x1, y1, x2, y2 in pixels.

    Returns:
        (K, 2) mean joints, 0 to 1 over the box.
    """
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9)
    # m_k = sum_n v_nk (p_nk - corner_n) / size_n  /  sum_n v_nk
    inside = (keypoints - boxes[:, None, :2]) / sizes[:, None]
    weights = labelled[..., None].astype(np.float64)
    return (inside * weights).sum(0) / np.maximum(weights.sum(0), 1)


def place(pose: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Stretch a pose to boxes.

    Args:
        pose: (K, 2), 0 to 1 over a box.
        boxes: (N, 4) x1, y1, x2, y2 in pixels.

    Returns:
        (N, K, 2) joints in pixels.
    """
    return boxes[:, None, :2] + pose * (boxes[:, 2:] - boxes[:, :2])[:, None]


def build_without_images(cfg: dict):
    """Build a data set, or a combined one, with empty pipelines."""
    cfg = deepcopy(cfg)
    map_pipelines(cfg, lambda pipeline: [])
    return DATASETS.build(cfg)


def read_samples(dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
    """Read the joints (N, K, 2), labels (N, K) and boxes (N, 4) of a data set, and its annotations."""
    infos = [dataset[i] for i in range(len(dataset))]
    keypoints, labelled, boxes = (
        np.concatenate([info[key] for info in infos]).astype(np.float64)
        for key in ('keypoints', 'keypoints_visible', 'bbox')
    )
    return keypoints, labelled > 0, boxes, infos


def score(
    evaluator_cfg: Any, metainfo: dict, infos: list[dict], joints: np.ndarray, scores: np.ndarray
) -> dict[str, float]:
    """Measure predicted joints with the metrics of a config.

    Args:
        evaluator_cfg: Configs of the metrics.
        metainfo: Metainfo of the data set.
        infos: Annotations of N persons.
        joints: (N, K, 2) predicted joints in pixels.
        scores: (N, K) scores of the joints.

    Returns:
        The metrics, as Python's numbers.
    """
    evaluator = Evaluator(evaluator_cfg)
    evaluator.dataset_meta = metainfo
    for info, pose, confidence in zip(infos, joints, scores, strict=True):
        targets = {packed: info[key] for key, packed in TARGETS.items() if info.get(key) is not None}
        prediction = dict(keypoints=pose[None], keypoint_scores=confidence[None])
        sample = dict(id=info['id'], img_id=info['img_id'], gt_instances=targets, pred_instances=prediction)
        evaluator.process([sample])
    return {key: np.asarray(value).item() for key, value in evaluator.evaluate(len(infos)).items()}


def evaluate(config: Config) -> dict[str, float]:
    """Fit on the training samples of a config, and evaluate on its validation samples.

    Args:
        config: Config with ``train_dataloader``, ``val_dataloader`` and ``val_evaluator``.

    Returns:
        The metrics.
    """
    init_default_scope('mmpose')
    train, val = (build_without_images(config[f'{part}_dataloader'].dataset) for part in ('train', 'val'))
    keypoints, labelled, boxes, _ = read_samples(train)
    pose = mean_pose(keypoints, labelled, boxes)
    *_, boxes, infos = read_samples(val)
    joints = place(pose, boxes)
    return score(config.val_evaluator, val.metainfo, infos, joints, np.ones(joints.shape[:2]))


def main() -> None:
    """Fit, evaluate and report."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', nargs='?', default='configs/baseline/td-hm_res18_lspet-mini-128x128.py')
    parser.add_argument('--out', type=Path, help='JSON file of the metrics')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={})
    args = parser.parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    metrics = evaluate(config)
    sys.stdout.write(metrics_table(metrics) + '\n')
    if args.out:
        write_results(args.out, metrics)


if __name__ == '__main__':
    main()
