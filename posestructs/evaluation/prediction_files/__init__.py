"""Predictions and labels from the files of several tools, matched person by person and joint by joint.

======================  =======================================================================================
``read_predictions``    mmpose dumps (.pkl), COCO results (.json), DeepLabCut (.csv, .h5), SLEAP analysis (.h5)
``read_coco_labels``    labels of a COCO json
``labels_of_dataset``   labels of any mmpose data set
``match_predictions``   one prediction per labelled person, joints in the order of the labels
======================  =======================================================================================
"""

from posestructs.evaluation.prediction_files.labels import Labels, labels_of_dataset, read_coco_labels
from posestructs.evaluation.prediction_files.matching import Matched, match_predictions
from posestructs.evaluation.prediction_files.poses import Poses
from posestructs.evaluation.prediction_files.read import read_predictions

__all__ = [
    'Labels',
    'Matched',
    'Poses',
    'labels_of_dataset',
    'match_predictions',
    'read_coco_labels',
    'read_predictions',
]
