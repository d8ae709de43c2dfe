"""Write the files of this folder with the code that other tools write theirs with.

Each in a virtual environment of its own, as the packages differ in what they need::

    python -m venv /tmp/tool && /tmp/tool/bin/pip install ultralytics==8.4.190
    /tmp/tool/bin/python tests/test_evaluation/test_prediction_files/files/write_files.py ultralytics

``sleap`` needs sleap-io, ``deeplabcut`` pandas and tables: DeepLabCut's own functions end in these two calls of pandas.
``dlc.h5`` was repacked afterwards with ``h5repack -f GZIP=9``, and all HDF5 files were compressed with ``gzip -9n``.
"""

import json
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
POINTS = np.array([[50, 10], [20, 40], [80, 40], [20, 90], [80, 90], [50, 120]], float)
OFFSETS = [(0, 0), (10, 5), (20, 0), (5, 30)]
SHAPE = (160, 140)


def planted():
    """Mice of tests/test_tools/test_error_anatomy.py: jitter, an inversion, a swap, a miss."""
    pred = np.stack([POINTS + offset for offset in OFFSETS])
    pred[0, 5] += [30, 0]
    pred[1, 1] = pred[1, 2]
    pred[2, 3] = pred[2, 0]
    pred[3, 0] += [900, 0]
    return pred


def ultralytics():
    """``ultralytics.json``: what ``yolo pose val save_json=True`` writes, from poses in place of a network's."""
    import torch
    from ultralytics.models.yolo.pose import PoseValidator

    writer = PoseValidator(args=dict(task='pose', save_json=True, plots=False))
    writer.jdict, writer.class_map = [], {0: 1}
    # images that were scaled by 4 and padded to a square of 640
    gain, pad = 4.0, ((640 - 4 * SHAPE[1]) / 2, 0.0)
    for i, pose in enumerate(planted()):
        joints = np.column_stack([pose * gain + pad, np.full(6, 0.9)])
        found = dict(
            bboxes=torch.tensor([[80.0, 0.0, 640.0, 640.0]]),
            conf=torch.tensor([0.5]),
            cls=torch.tensor([0.0]),
            keypoints=torch.tensor(joints[None], dtype=torch.float32),
        )
        about = dict(imgsz=(640, 640), ori_shape=SHAPE, ratio_pad=((gain, gain), pad), im_file=f'/images/img{i}.png')
        writer.pred_to_json(writer.scale_preds(found, about), about)
    (FOLDER / 'ultralytics.json').write_text(json.dumps(writer.jdict))


def sleap():
    """``sleap.analysis.h5``: two animals in three frames."""
    import sleap_io

    skeleton = sleap_io.Skeleton(['nose', 'left_ear', 'right_ear', 'tail'])
    video, tracks = sleap_io.Video('video.mp4', open_backend=False), [sleap_io.Track('a'), sleap_io.Track('b')]
    base, frames = np.array([[10, 20], [30, 20], [12, 40], [70, 90]], float), []
    for frame, there in enumerate([(0, 1), (0,), (0, 1)]):
        instances = []
        for track in there:
            points = base + 100 * track + frame
            if (frame, track) == (2, 0):
                points[3] = np.nan
            instances.append(
                sleap_io.PredictedInstance.from_numpy(
                    points,
                    skeleton,
                    point_scores=np.array([0.9, 0.8, 0.7, 0.6]),
                    score=0.5 + 0.1 * track,
                    track=tracks[track],
                )
            )
        frames.append(sleap_io.LabeledFrame(video=video, frame_idx=frame, instances=instances))
    labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=tracks)
    sleap_io.save_analysis_h5(labels, str(FOLDER / 'sleap.analysis.h5'))


def deeplabcut():
    """``dlc*.csv`` and ``dlc*.h5``: predictions of a video, and labels of images with two animals."""
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [['DLC_x'], ['nose', 'paw'], ['x', 'y', 'likelihood']], names=['scorer', 'bodyparts', 'coords']
    )
    video = pd.DataFrame(np.arange(18.0).reshape(3, 6), columns=columns)
    video.to_csv(FOLDER / 'dlc.csv')
    video.to_hdf(FOLDER / 'dlc.h5', key='df_with_missing', format='table', mode='w')
    columns = pd.MultiIndex.from_product(
        [['s'], ['m1', 'm2'], ['nose', 'paw'], ['x', 'y']], names=['scorer', 'individuals', 'bodyparts', 'coords']
    )
    values = np.arange(16.0).reshape(2, 8)
    values[0, :2] = np.nan
    index = pd.MultiIndex.from_tuples([('labeled-data', 'v', f'img{i}.png') for i in (1, 2)])
    labels = pd.DataFrame(values, columns=columns, index=index)
    labels.to_csv(FOLDER / 'dlc_multi.csv')
    labels.to_hdf(FOLDER / 'dlc_multi.h5', key='df_with_missing', mode='w')


if __name__ == '__main__':
    dict(ultralytics=ultralytics, sleap=sleap, deeplabcut=deeplabcut)[sys.argv[1]]()
