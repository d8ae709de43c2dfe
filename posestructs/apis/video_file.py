"""Write a video frame by frame, so that neither a full disk nor a killed process goes unnoticed.

Frames are encoded into ``NAME.partial.mkv``. Matroska needs no index at its end, so that the file of a killed process
can be played, except for the last quarter of a megabyte. ``close`` copies the encoded frames into the container of the
final name, counts them, and only then gives the file its name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posestructs.utils.usage import UsageError

_CODEC = cv2.VideoWriter_fourcc(*'mp4v')


class VideoFile:
    """Video that gets its name once it is complete.

    Args:
        file: Its name, with a suffix of a format that OpenCV writes.
        fps: Frames per second.
        size: Width and height.

    Raises:
        UsageError: It cannot be written there.
    """

    def __init__(self, file: Path, fps: float, size: tuple[int, int]) -> None:
        self._file, self._fps, self._size = file, fps, size
        self._count = 0
        self.partial = file.with_name(f'{file.stem}.partial.mkv')
        self._writer = cv2.VideoWriter(str(self.partial), _CODEC, fps, size)
        if not self._writer.isOpened():
            raise UsageError(f'{file}: OpenCV cannot write a video of {size[0]} x {size[1]} there')

    def add(self, image: np.ndarray) -> None:
        """Add a frame.

        Args:
            image: (H, W, 3) uint8 RGB. A frame of another size than the video is fitted into it.
        """
        # a writer drops frames of another size silently
        self._writer.write(np.ascontiguousarray(fitted(image, self._size)[..., ::-1]))
        self._count += 1

    def close(self) -> Path:
        """Complete the video and give it its name.

        Returns:
            The file.

        Raises:
            UsageError: Frames are missing, as after the disk was full; those that were written are kept in the partial
                file.
        """
        self._writer.release()
        complete = self.partial
        if self._file.suffix.lower() != '.mkv':
            complete = self.partial.with_suffix(self._file.suffix)
        written = copy_frames(self.partial, complete, self._fps, self._size)
        if written < self._count:
            if complete != self.partial:
                complete.unlink(missing_ok=True)
            raise UsageError(
                f'{self._file}: only {written} of {self._count} frames could be written (is the disk full, or the size '
                f'of files limited?); what was written is kept in {self.partial}'
            )
        os.replace(complete, self._file)
        if complete != self.partial:
            self.partial.unlink()
        return self._file


def copy_frames(source: Path, target: Path, fps: float, size: tuple[int, int]) -> int:
    """Copy the encoded frames of a video into another container.

    Args:
        source: Video in MPEG-4 of :class:`VideoFile`.
        target: New file, with the suffix of its container. The same as ``source`` to count frames only.
        fps: Frames per second.
        size: Width and height.

    Returns:
        Number of frames that can be read from the target.
    """
    if target != source:
        raw = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1]
        writer = cv2.VideoWriter(str(target), cv2.CAP_FFMPEG, _CODEC, fps, size, raw)
        reader = _open_packets(source)
        # decoders need the header of the stream, which the containers have in different places
        header = reader.retrieve(flag=int(reader.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX)))[1]
        good, packet = reader.read()
        if good and header is not None:
            packet = np.concatenate([header.reshape(-1), packet.reshape(-1)])
        while good:
            writer.set(cv2.VIDEOWRITER_PROP_KEY_FLAG, reader.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
            writer.write(packet.reshape(1, -1))
            good, packet = reader.read()
        writer.release()
    reader, count = _open_packets(target), 0
    while reader.grab():
        count += 1
    return count


def _open_packets(file: Path) -> cv2.VideoCapture:
    """Open a video so that its frames are read as they are encoded."""
    return cv2.VideoCapture(str(file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])


def fitted(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Fit an image into a size without distorting it.

    It is placed at the upper left, scaled down where it is larger, and padded with black.

    Args:
        image: (H, W, 3) uint8.
        size: Width and height.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = image.shape[:2]
    scale = min(1.0, size[0] / width, size[1] / height)
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    return np.pad(image, ((0, size[1] - height), (0, size[0] - width), (0, 0)))
