"""The row without a model: everybody is the average training person, stretched to the box."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS

from benchmarks.grid.hits import HitRecord, Hits
from benchmarks.mean_pose import mean_pose, people, place, without_images


def fit(cfg: Config):
    """The average training person of a config.

    Args:
        cfg: With ``train_dataloader``.

    Returns:
        np.ndarray: (K, 2), 0 to 1 over the box.
    """
    keypoints, labelled, boxes, _ = people(without_images(cfg.train_dataloader.dataset))
    return mean_pose(keypoints, labelled, boxes)


def score(cfg: Config, pose) -> Hits:
    """Put a pose where a config's test people are.

    Args:
        cfg: With ``test_dataloader``; images are loaded, as it is from them that occluders are drawn.
        pose: (K, 2), 0 to 1 over the box.

    Returns:
        Hits: What it got right.
    """
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    record = HitRecord()
    record.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        joints = place(pose, sample.gt_instances.bboxes)
        sample.pred_instances = InstanceData(keypoints=joints, keypoint_scores=joints[..., 0] * 0 + 1)
        record.process(None, [sample.to_dict()])
    record.evaluate(len(dataset))
    return record.hits
