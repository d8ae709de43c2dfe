"""Image loading that refuses damaged files."""

from __future__ import annotations

import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.image.io import supported_backends
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS

from posestructs.datasets.errors import BadImageError
from posestructs.utils.images import decode_image, find_problem


@TRANSFORMS.register_module(name=['LoadVerifiedImage', 'LoadImage'], force=True)
class LoadVerifiedImage(LoadImage):
    """Load an image as mmpose's ``LoadImage`` does, and raise :class:`BadImageError` for a damaged file.

    It takes the place of ``LoadImage`` in ``mmpose.registry.TRANSFORMS`` too, so that mmpose's own configs find damaged
    files without a change. A file is read once, checked and decoded by
    :mod:`posestructs.utils.images`, the reader of the whole project, or by the backend asked for.
    The arguments are those of ``LoadImage``; with ``ignore_empty=True`` a bad image gives ``None`` instead of an error.

    Required keys: ``img_path``, or ``img`` (which is then used as it is). Added keys: ``img``, ``img_shape``,
    ``ori_shape``.

    Raises:
        ValueError: ``imdecode_backend`` is not one that mmcv knows (at build time).
        BadImageError: The file is missing, empty, truncated or no image.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.imdecode_backend not in supported_backends:
            raise ValueError(f'imdecode_backend={self.imdecode_backend!r}, allowed: {supported_backends}')

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']`` unless ``results['img']`` is there already.

        Args:
            results: Sample of a data set.

        Returns:
            dict | None: The same dict with the image; ``None`` for a bad image with ``ignore_empty=True``.
        """
        if 'img' not in results:
            try:
                results['img'] = self.load(results['img_path'])
            except BadImageError:
                if self.ignore_empty:
                    return None
                raise
        results = super().transform(results)
        if self.to_float32:  # mmpose converts a given image and forgets the result
            results['img'] = results['img'].astype(np.float32, copy=False)
        return results

    def load(self, path: str) -> np.ndarray:
        """Read, check and decode one file.

        Args:
            path: The file, or a URI that the ``backend_args`` fit.

        Returns:
            np.ndarray: The image as it was decoded, (H, W, 3) uint8 BGR by default.

        Raises:
            BadImageError: The file is missing, empty, truncated or no image.
        """
        data = self._read(path)
        if (self.imdecode_backend, self.color_type) == ('cv2', 'color'):
            return decode_image(data, path)
        problem = find_problem(data)
        if problem:
            raise BadImageError(path, problem)
        try:
            image = mmcv.imfrombytes(data, flag=self.color_type, backend=self.imdecode_backend)
        except (ImportError, MemoryError):  # not the file's fault
            raise
        except Exception as e:
            raise BadImageError(path, f'not decodable by {self.imdecode_backend}: {e}') from e
        if image is None:
            raise BadImageError(path, f'not decodable by {self.imdecode_backend}: no image format that it knows')
        return image

    def _read(self, path: str) -> bytes:
        try:
            if self.file_client_args is not None:
                return fileio.FileClient.infer_client(self.file_client_args, path).get(path)
            return fileio.get(path, backend_args=self.backend_args)
        except OSError as e:
            raise BadImageError(path, e.strerror or str(e)) from e
