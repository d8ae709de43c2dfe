"""Log the number of training samples that were left out, at the end of each epoch."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

_COUNTS = dict(
    num_dropped='persons left out when the annotations were read',
    num_skipped='images that could not be decoded',
    num_outside='joints outside their image, taken as not labelled',
)


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Log the counts of left-out samples that data sets keep, where any is above zero and has changed.

    Each rank logs the counts of its own workers. Data sets without such counts are ignored.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self) -> None:
        self._logged: list[str] = []

    def after_train_epoch(self, runner: Runner) -> None:
        """Log counts that have changed.

        Args:
            runner: The runner that trains.
        """
        counts = describe_counts(runner.train_dataloader.dataset)
        if counts != self._logged:
            runner.logger.warning('left out of training so far: ' + '; '.join(counts))
            self._logged = counts


def describe_counts(dataset: object) -> list[str]:
    """Put the counts of a data set, or of the parts of a combined one, into words.

    Args:
        dataset: A data set; those of a ``CombinedDataset`` or ``ConcatDataset`` are added up.

    Returns:
        list[str]: A phrase for each count above zero.
    """
    parts = getattr(dataset, 'datasets', None) or [dataset]
    totals = {name: sum(getattr(part, name, 0) for part in parts) for name in _COUNTS}
    return [f'{total} {_COUNTS[name]} ({name})' for name, total in totals.items() if total]
