"""Persons of a batch that are predicted a second time, in a crop around the joints of the first prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from mmpose.structures import PoseDataSample

from posestructs.apis.frames import Frame
from posestructs.apis.inference_call import Item
from posestructs.deployment.onnx_pose.second_pass import tighter_box


def tighter_boxes(
    batch: Sequence[Item], samples: Sequence[PoseDataSample], second_pass: bool | None
) -> Iterator[tuple[int, Frame, np.ndarray]]:
    """Find the persons of a batch that get a second pass.

    Args:
        batch: Images.
        samples: Predictions of the first pass, of all persons of the images.
        second_pass: Option of the call: True for all persons, False for none, None for whole images.

    Yields:
        Index of a sample, its image and its (5,) box, with the score of the first.
    """
    index = 0
    for item in batch:
        wanted = item.is_whole if second_pass is None else second_pass
        for k in range(len(item.persons)):
            if wanted:
                found, box = samples[index].pred_instances, item.boxes[k]
                size = item.frame.image.shape[1::-1]
                tighter = tighter_box(found.keypoints[0], found.keypoint_scores[0], box[:4], size)
                if tighter is not None:
                    yield index, item.frame, np.append(tighter, box[4])
            index += 1
