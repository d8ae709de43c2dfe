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

from posestructs.utils.files import PARTIAL, atomic_write

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

    Its arguments are those of ``CheckpointHook``. Where they name a storage (``backend_args``, or an ``out_dir`` such
    as ``s3://...``), that storage decides how it writes.
    """

    def before_train(self, runner: Runner) -> None:
        """Choose where to write, and clear what a killed run left half-written."""
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

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
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
