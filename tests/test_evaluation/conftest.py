"""Fixtures of the metric tests: data sets' metainfo, samples as mmpose's loops hand them over, real poses."""

from __future__ import annotations

import logging

import h5py
import numpy as np
import pytest
import scipy.io
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.registry import METRICS
from mmpose.structures import PoseDataSample

import posestructs  # noqa: F401
from posestructs.structures.metainfo import load_metainfo, metainfo_file
from tests.helpers import data_root


@pytest.fixture(scope='session')
def lsp_meta() -> dict:
    return load_metainfo(dict(from_file=metainfo_file('lsp')))


@pytest.fixture(scope='session')
def mpii_meta() -> dict:
    return load_metainfo(dict(from_file=metainfo_file('mpii_occlusion')))


@pytest.fixture(scope='session')
def mpii() -> dict[str, np.ndarray]:
    """MPII's 2,958 validation persons, 1-based as in its files, and a published hourglass's predictions, 0-based."""
    folder = data_root() / 'mpii-val'
    target = scipy.io.loadmat(folder / 'mpii_gt_val.mat')
    corners = target['headboxes_src'].transpose(2, 0, 1)
    labelled = target['jnt_missing'].T == 0
    with h5py.File(folder / 'valid.h5') as f:
        visible = f['visible'][:] > 0
    return dict(
        pred=scipy.io.loadmat(folder / 'hg_s2_b1_predictions.mat')['preds'] - 1,  # mmpose's metric adds 1
        gt=target['pos_gt_src'].transpose(2, 0, 1),
        labelled=labelled,
        head_size=0.6 * np.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1)[:, None],
        keypoints_occluded=(labelled & ~visible).astype(np.float32),
    )


def meta_of_mmpose(name: str) -> dict:
    """mmpose's metainfo, without any of our keys."""
    import mmpose
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo(dict(from_file=f'{mmpose.__path__[0]}/.mim/configs/_base_/datasets/{name}.py'))


@pytest.fixture(scope='session')
def coco_meta() -> dict:
    """A data set of mmpose whose joints are those of a shipped metainfo file."""
    return meta_of_mmpose('coco')


@pytest.fixture(scope='session')
def crowdpose_meta() -> dict:
    """A foreign data set: no shipped metainfo file has its 14 joints."""
    return meta_of_mmpose('crowdpose')


@pytest.fixture(scope='session')
def lsp_joints() -> np.ndarray:
    """(2000, 14, 3) x, y, occluded."""
    return scipy.io.loadmat(data_root() / 'lsp-annotations' / 'joints.mat')['joints'].transpose(2, 1, 0)


@pytest.fixture(scope='session')
def lspe_joints() -> np.ndarray:
    """(1000, 14, 3) x, y, labelled of the validation persons of lspet-mini."""
    folder = data_root() / 'lspet-mini'
    ids = np.loadtxt(folder / 'val.txt', dtype=int)
    return scipy.io.loadmat(folder / 'joints.mat')['joints'].transpose(2, 0, 1)[ids - 1]


@pytest.fixture(scope='session')
def flic() -> tuple[np.ndarray, np.ndarray, dict]:
    """FLIC's 1,016 validation persons: joints (N, 11, 2), labelled (N, 11), metainfo."""
    with h5py.File(data_root() / 'flic-annotations' / 'valid.h5') as f:
        return f['part'][:], f['visible'][:] > 0, load_metainfo(dict(from_file=metainfo_file('flic_11kpt')))


def make_samples(pred, gt, labelled=None, **fields) -> list[PoseDataSample]:
    """One mmpose data sample per person; `fields` are further arrays of gt_instances, persons first, None = absent."""
    labelled = np.ones(gt.shape[:2]) if labelled is None else labelled
    samples = []
    for i in range(len(gt)):
        sample = PoseDataSample(metainfo=dict(img_path=f'{i}.jpg'))
        target = dict(
            keypoints=gt[i : i + 1].astype(np.float32), keypoints_visible=labelled[i : i + 1].astype(np.float32)
        )
        target |= {k: np.asarray(v[i])[None] for k, v in fields.items() if v[i] is not None}
        sample.gt_instances = InstanceData(**target)
        sample.pred_instances = InstanceData(
            keypoints=pred[i : i + 1].astype(np.float32), keypoint_scores=np.ones((1, gt.shape[1]), np.float32)
        )
        samples.append(sample)
    return samples


def run(metrics, meta, samples, batch=7) -> dict:
    """Evaluate as mmengine's loops do: configs, metainfo, batches."""
    evaluator = Evaluator([METRICS.build(m) for m in metrics])
    evaluator.dataset_meta = meta
    for i in range(0, len(samples), batch):
        evaluator.process(samples[i : i + batch])
    return evaluator.evaluate(len(samples))


@pytest.fixture(scope='session')
def samples_of():
    return make_samples


@pytest.fixture(scope='session')
def evaluate():
    return run


@pytest.fixture
def logged():
    """Messages of mmengine's current logger during the test: `logged(level)` joins the messages of one level."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lambda level: '\n'.join(r.getMessage() for r in records if r.levelno == level)
    logger.removeHandler(handler)
