"""Atomic checkpoints, which a killed process leaves complete or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import BaseStorageBackend, LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from posestructs.utils.checks import check_bool, check_integer, invalid_value, is_integer, list_names
from posestructs.utils.files import PARTIAL, atomic_write
from posestructs.utils.usage import UsageError

BACKEND = 'posestructs.AtomicLocalBackend'


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written atomically."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Args:
            obj: Its content.
            filepath: Its name.
        """
        atomic_write(filepath, obj)


register_backend(BACKEND, AtomicLocalBackend, force=True)


class _DeletesLater:
    """File backend that defers deletions.

    Args:
        backend: Does everything else, and in the end the deletions.
    """

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self._noted: list[tuple[Callable[[str], None], str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._noted.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self._noted.append((self._backend.rmtree, path))

    def delete(self, keep: set[str | None]) -> None:
        """Delete what was noted, but for ``keep``: a name may have been written anew since."""
        for delete, path in self._noted:
            if path not in keep:
                delete(path)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, made safe against a kill at any moment.

    It writes each file under another name and renames it when it is whole, and deletes what ``max_keep_ckpts`` or a
    new best makes superfluous after the new file is there; mmengine deletes first and writes in place.

    Its arguments are those of ``CheckpointHook``, checked when it is built and not when the first file is written.
    Where they name a storage (``backend_args``, or an ``out_dir`` such as ``s3://...``), that storage decides how it
    writes.

    Raises:
        ValueError: An argument is not allowed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.args:
            raise ValueError(f'CheckpointHook: unknown arguments {list_names(self.args)}')
        for key in ('interval', 'max_keep_ckpts'):
            value = getattr(self, key)
            if not is_integer(value) or value < -1 or value == 0:
                raise invalid_value(f'CheckpointHook.{key}', value, 'an integer of at least 1, or -1')
        for key in ('by_epoch', 'save_optimizer', 'save_param_scheduler', 'save_last'):
            check_bool(f'CheckpointHook.{key}', getattr(self, key))
        check_integer('CheckpointHook.save_begin', self.save_begin, 0)
        if not isinstance(self.filename_tmpl, str) or self.filename_tmpl.count('{}') != 1:
            raise invalid_value('CheckpointHook.filename_tmpl', self.filename_tmpl, 'text with {} once')
        if not isinstance(self.out_dir, str | Path | None):
            raise invalid_value('CheckpointHook.out_dir', self.out_dir, 'a folder, or None')

    def before_train(self, runner: Runner) -> None:
        """Choose where to write, and clear what a killed run left half-written.

        Args:
            runner: The runner that trains.

        Raises:
            UsageError: ``save_best`` names a metric that cannot come from the evaluator.
        """
        self._check_best(runner)
        local = '://' not in str(self.out_dir or runner.work_dir)
        if local and self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(backend=BACKEND)
        super().before_train(runner)
        if local and is_main_process():
            for partial in Path(self.out_dir).glob(f'.*.pth{PARTIAL}'):
                runner.logger.warning(f'removed {partial}, left by a run that was killed while it wrote a checkpoint')
                partial.unlink(missing_ok=True)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with self._delete_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _check_best(self, runner: Runner) -> None:
        """Compare the prefix of ``save_best`` with those of the metrics; their names are known after an evaluation."""
        metrics = getattr(getattr(runner.val_loop, 'evaluator', None), 'metrics', None)
        if not self.save_best or not metrics:
            return
        prefixes = {metric.prefix for metric in metrics}
        for name in self.save_best:
            prefix, slash, _ = name.rpartition('/')
            if slash and prefix not in prefixes and not prefixes & {None, ''}:
                allowed = ', '.join(sorted(f'{prefix}/...' for prefix in prefixes))
                raise UsageError(f'CheckpointHook.save_best={name!r}, val_evaluator has {allowed}')

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        missing = [name for name in self.save_best or () if name != 'auto' and name not in metrics]
        if missing:
            written = f'; {self.last_ckpt} is written, go on with --resume' if self.last_ckpt else ''
            raise UsageError(f'CheckpointHook.save_best={missing[0]!r}, allowed: {list_names(metrics)}{written}')
        with self._delete_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _delete_last(self) -> Iterator[None]:
        """Defer deletions until the block has written its file."""
        if isinstance(self.file_backend, _DeletesLater):  # a new best saves the last checkpoint once more
            yield
            return
        backend = self.file_backend
        self.file_backend = later = _DeletesLater(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        bests = getattr(self, 'best_ckpt_path_dict', None) or {'': getattr(self, 'best_ckpt_path', None)}
        later.delete(keep={self.last_ckpt, *bests.values()})
