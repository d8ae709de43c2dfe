"""Refuse a head or a tree whose joints are not those of the data, before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn

from posestructs.engine.hooks.loop_check_hook import LoopCheckHook
from posestructs.structures import KinematicTree
from posestructs.structures.joint_conversion import pipeline_metainfo
from posestructs.utils.networks import head_joints, unwrapped
from posestructs.utils.usage import UsageError


@HOOKS.register_module()
class JointCheckHook(LoopCheckHook):
    """Compare the joints of top-down data sets, converted by their pipelines, with the channels of the head
    and with the trees of the neck.

    A head of mmpose ends in an error of shapes within a loss or a metric, which names neither key.
    ``tools/train.py`` and ``tools/test.py`` have the hook by themselves; elsewhere name it in ``custom_hooks``.
    """

    def check(self, runner: Runner, name: str, loop: Any) -> None:
        """Compare the joints of a data set with those of the model."""
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        head = getattr(unwrapped(runner.model), 'head', None)
        found, expected = dataset_joints(dataset), None if head is None else head_joints(head)
        if None not in (found, expected) and found != expected:
            raise UsageError(
                f'model.head ({type(head).__name__}) predicts {expected} joints, and {name}_dataloader.dataset '
                f"({type(dataset).__name__}) has {found}: change the head's channels or its tree, or the metainfo or "
                'KeypointConverter of the data set'
            )
        names = dataset_joint_names(dataset)
        for key, tree in neck_trees(getattr(unwrapped(runner.model), 'neck', None)):
            if names is not None and list(tree.joints) != names:
                raise UsageError(
                    f'{key} has the joints {", ".join(tree.joints)}, and {name}_dataloader.dataset '
                    f'({type(dataset).__name__}) has {", ".join(names)}: they must be the same in the same order'
                )


def dataset_joints(dataset: Any) -> int | None:
    """Number of joints of a data set behind its pipeline.

    Args:
        dataset: A data set.

    Returns:
        int | None: The number; None if it is no top-down data set of mmpose's kind.
    """
    dataset = _within_concatenation(dataset)
    first = (getattr(dataset, 'datasets', None) or [dataset])[0]
    metainfo = getattr(dataset, 'metainfo', None) or {}
    if getattr(first, 'data_mode', None) != 'topdown' or 'num_keypoints' not in metainfo:
        return None
    return pipeline_metainfo(metainfo, getattr(dataset.pipeline, 'transforms', ()))['num_keypoints']


def dataset_joint_names(dataset: Any) -> list[str] | None:
    """Names of the joints of a data set; None if it is not top-down, or if its pipeline converts joints."""
    dataset = _within_concatenation(dataset)
    if dataset_joints(dataset) is None:
        return None
    names = dataset.metainfo.get('keypoint_id2name') or {}
    same = dataset_joints(dataset) == len(names) == dataset.metainfo['num_keypoints']
    converted = any(type(step).__name__ == 'KeypointConverter' for step in getattr(dataset.pipeline, 'transforms', ()))
    return [names[k] for k in range(len(names))] if same and not converted else None


def _within_concatenation(dataset: Any) -> Any:
    """The first part of a ``ConcatDataset``, whose parts have pipelines of their own and the same metainfo."""
    while isinstance(dataset, ConcatDataset):
        dataset = dataset.datasets[0]
    return dataset


def neck_trees(neck: nn.Module | None) -> Iterator[tuple[str, KinematicTree]]:
    """Trees of a neck and of the necks within it, with their keys in the config."""
    for path, module in neck.named_modules() if isinstance(neck, nn.Module) else ():
        if isinstance(getattr(module, 'tree', None), KinematicTree):
            yield '.'.join(filter(None, ('model.neck', path, 'tree'))), module.tree
