"""Write results to files: a drawn image and a json file per image, or a video and one json file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from posestructs.apis.frames import Frame, Source
from posestructs.apis.video_file import VideoFile
from posestructs.deployment.onnx_pose.result_names import ResultNames, image_name, json_name
from posestructs.utils.files import atomic_write
from posestructs.utils.images import write_image
from posestructs.utils.media import WRITABLE_SUFFIXES
from posestructs.utils.signals import deferred_signals
from posestructs.utils.usage import UsageError

_VIDEOS = ('.mp4', '.mov', '.mkv', '.avi')


class ResultFiles:
    """Writer of results: each file is written completely or not at all, and never over an input.

    Args:
        source: The images that the results belong to.
        vis_out_dir: Folder of drawn images, or, with a suffix, the name of the one image or video; '' for none.
        pred_out_dir: Folder of json files; '' for none.

    Raises:
        UsageError: A folder cannot be created, one file is to hold several images, or a file is one of the inputs.
    """

    def __init__(self, source: Source, vis_out_dir: str = '', pred_out_dir: str = '') -> None:
        self._source = source
        self._vis = Path(vis_out_dir) if vis_out_dir else None
        self._pred = Path(pred_out_dir) if pred_out_dir else None
        folders = {'vis_out_dir': self._vis, 'pred_out_dir': self._pred}
        if self._vis is not None and self._vis.suffix:
            if not source.single and not source.is_video:
                raise UsageError(f'vis_out_dir={vis_out_dir}, allowed for several images: a folder, without a suffix')
            _check_suffix(self._vis, _VIDEOS if source.is_video else WRITABLE_SUFFIXES)
            folders['vis_out_dir'] = self._vis.parent
        self._names = ResultNames(source.names)
        self._inputs = set(map(_identity, source.files)) - {None}
        planned = self._names.planned if not source.is_video else [(source.name, Path(source.name).stem)]
        self._refuse_inputs(file for path, name in planned for file in self._files_of(path, name))
        for key, folder in folders.items():
            _make_folder(key, folder)
        self._frames: list[dict] = []
        self._video: VideoFile | None = None
        self.written: list[Path] = []

    @property
    def wants_images(self) -> bool:
        """Whether images have to be drawn."""
        return self._vis is not None

    def add(self, frame: Frame, instances: Sequence[dict], drawn: np.ndarray | None) -> None:
        """Write the results of one image.

        Args:
            frame: The image.
            instances: Its persons.
            drawn: (H, W, 3) uint8 RGB, if images are to be written.

        Raises:
            UsageError: A file cannot be written, or is one of the inputs, which was not known before.
        """
        with deferred_signals():  # a stop in between would leave predictions without their drawn image
            if self._source.is_video:
                self._add_frame(instances, drawn)
            else:
                self._add_image(frame, instances, drawn)

    def close(self) -> None:
        """Complete the files of a video; of an interrupted one they hold the frames so far."""
        with deferred_signals():
            if self._source.is_video and self._pred is not None and self._frames:
                self._write_json(self._pred / json_name(Path(self._source.name).stem), self._frames)
                self._frames = []
            if self._video is not None:
                video, self._video = self._video, None
                self.written.append(video.close())

    def _files_of(self, path: str, name: str) -> Iterable[Path]:
        if self._pred is not None:
            yield self._pred / json_name(name)
        if self._vis is not None:
            yield self._image_file(path, name)

    def _image_file(self, path: str, name: str) -> Path:
        if self._vis.suffix:
            return self._vis
        return self._vis / (f'{name}.mp4' if self._source.is_video else image_name(name, path))

    def _refuse_inputs(self, files: Iterable[Path]) -> None:
        for file in files:
            if _identity(file) in self._inputs:
                raise UsageError(f'{file} would be overwritten, but it is one of the inputs; allowed: another folder')

    def _add_frame(self, instances: Sequence[dict], drawn: np.ndarray | None) -> None:
        if self._vis is not None and drawn is not None:
            if self._video is None:
                file = self._image_file(self._source.name, Path(self._source.name).stem)
                self._video = VideoFile(file, self._source.fps, drawn.shape[1::-1])
            self._video.add(drawn)
        if self._pred is not None:
            self._frames.append(dict(frame_id=len(self._frames), instances=list(instances)))

    def _add_image(self, frame: Frame, instances: Sequence[dict], drawn: np.ndarray | None) -> None:
        name = self._names.take(frame.path)
        if frame.is_file:
            self._inputs |= {_identity(frame.path)} - {None}
        self._refuse_inputs(self._files_of(frame.path, name))
        if self._pred is not None:
            self._write_json(self._pred / json_name(name), instances)
        if self._vis is not None and drawn is not None:
            file = self._image_file(frame.path, name)
            write_image(file, drawn)
            self.written.append(file)

    def _write_json(self, file: Path, content: Sequence[dict]) -> None:
        rows = ',\n'.join(json.dumps(row, allow_nan=False) for row in content)  # a person or frame a line
        try:
            atomic_write(file, f'[\n{rows}\n]\n'.encode())
        except OSError as error:
            raise UsageError(f'{file} cannot be written: {error.strerror or error}') from error
        self.written.append(file)


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and inode, which all names of a file share; ``None`` where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _make_folder(key: str, folder: Path | None) -> None:
    if folder is None:
        return
    try:
        for place in (folder, *folder.parents):
            if place.exists():
                break
        if not place.is_dir():
            raise UsageError(f'{key}={folder}: {place} is a file, not a folder')
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        if isinstance(error, UsageError):
            raise
        raise UsageError(f'{key}={folder} cannot be created: {getattr(error, "strerror", None) or error}') from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f'{key}={folder}: nothing can be written there')


def _check_suffix(file: Path, allowed: Sequence[str]) -> None:
    if file.suffix.lower() not in allowed:
        raise UsageError(f'vis_out_dir={file}, allowed: a folder, or a name that ends with one of {" ".join(allowed)}')
