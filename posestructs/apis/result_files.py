"""Files of results: a picture and a json per image, or one of each for a video."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posestructs.apis.image_sources import Source
from posestructs.utils.files import atomic_write
from posestructs.utils.usage import UsageError

_VIDEOS = ('.mp4', '.mov', '.mkv', '.avi')
_WRITABLE = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


class ResultFiles:
    """Writes what comes in, each file whole or not at all.

    Args:
        source: What the results are of.
        vis_out_dir: Folder of pictures, or with a suffix the name of the one picture or video; '' for none.
        pred_out_dir: Folder of json files; '' for none.

    Raises:
        UsageError: A folder cannot be one, or one file is to hold several pictures.
    """

    def __init__(self, source: Source, vis_out_dir: str = '', pred_out_dir: str = '') -> None:
        self._source = source
        self._vis = Path(vis_out_dir) if vis_out_dir else None
        self._pred = Path(pred_out_dir) if pred_out_dir else None
        _check_place('pred_out_dir', self._pred)
        if self._vis is not None and self._vis.suffix:
            if not source.single and not source.is_video:
                raise UsageError(f'vis_out_dir={vis_out_dir}, allowed for several images: a folder, without a suffix')
            _check_suffix(self._vis, _VIDEOS if source.is_video else _WRITABLE)
            _check_place('vis_out_dir', self._vis.parent)
        else:
            _check_place('vis_out_dir', self._vis)
        self._frames: list[dict] = []
        self._video: _VideoFile | None = None
        self._names: set[str] = set()
        self.written: list[Path] = []

    @property
    def wants_pictures(self) -> bool:
        """Whether pictures have to be drawn."""
        return self._vis is not None

    def add(self, path: str, instances: Sequence[dict], picture: np.ndarray | None) -> None:
        """Take the results of one image.

        Args:
            path: Of the image.
            instances: Its people.
            picture: (H, W, 3) uint8 RGB, if pictures are wanted.
        """
        if self._source.is_video:
            if self._pred is not None:
                self._frames.append(dict(frame_id=len(self._frames), instances=list(instances)))
            if self._vis is not None and picture is not None:
                self._add_frame(picture)
            return
        name = self._unique(Path(path.partition('?')[0]))
        if self._pred is not None:
            self._write_json(name, instances)
        if self._vis is not None and picture is not None:
            file = self._vis
            if not file.suffix:
                suffix = Path(path.partition('?')[0]).suffix
                file = file / f'{name}{suffix if suffix.lower() in _WRITABLE else ".jpg"}'
            _, data = cv2.imencode(file.suffix, picture[..., ::-1])
            atomic_write(file, data.tobytes())
            self.written.append(file)

    def close(self) -> None:
        """Finish a video's files; what was done of it is kept."""
        if self._video is not None:
            self.written.append(self._video.close())
            self._video = None
        if self._source.is_video and self._pred is not None and self._frames:
            self._write_json(Path(self._source.name).stem, self._frames)
            self._frames = []

    def _add_frame(self, picture: np.ndarray) -> None:
        if self._video is None:
            file = self._vis if self._vis.suffix else self._vis / f'{Path(self._source.name).stem}.mp4'
            self._video = _VideoFile(file, self._source.fps, picture.shape[1::-1])
        self._video.add(picture)

    def _write_json(self, name: str, content: Sequence[dict]) -> None:
        file = self._pred / f'{name}.json'
        rows = ',\n'.join(map(json.dumps, content))  # a person or frame a line
        atomic_write(file, f'[\n{rows}\n]\n'.encode())
        self.written.append(file)

    def _unique(self, path: Path) -> str:
        """The image's name without suffix; images of several folders may share one."""
        name, count = path.stem, 1
        while name in self._names:
            name, count = f'{path.stem}_{count}', count + 1
        self._names.add(name)
        return name


def _check_place(name: str, folder: Path | None) -> None:
    for place in () if folder is None else (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise UsageError(f'{name}={folder}: {place} is a file, not a folder')
            return


def _check_suffix(file: Path, allowed: Sequence[str]) -> None:
    if file.suffix.lower() not in allowed:
        raise UsageError(f'vis_out_dir={file}, allowed: a folder, or a name that ends with one of {" ".join(allowed)}')


class _VideoFile:
    """A video that gets its name when it is whole."""

    def __init__(self, file: Path, fps: float, size: tuple[int, int]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._size = file, size
        self._partial = file.with_name(f'.{file.stem}.partial{file.suffix}')  # OpenCV reads the format off the suffix
        self._writer = cv2.VideoWriter(str(self._partial), cv2.VideoWriter_fourcc(*'mp4v'), fps, size)
        if not self._writer.isOpened():
            raise OSError(f'{file}: OpenCV cannot write a video of {size[0]} x {size[1]} there')

    def add(self, picture: np.ndarray) -> None:
        frame = picture[..., ::-1]
        if picture.shape[1::-1] != self._size:  # a writer drops frames of another size without a word
            frame = cv2.resize(np.ascontiguousarray(frame), self._size)
        self._writer.write(np.ascontiguousarray(frame))

    def close(self) -> Path:
        self._writer.release()
        os.replace(self._partial, self._file)
        return self._file
