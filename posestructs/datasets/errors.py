"""What can be wrong with a data set, as exceptions that say where."""

from __future__ import annotations

from pathlib import Path


class AnnotationError(ValueError):
    """An annotation file cannot be used as asked.

    Args:
        path (str | Path): The file.
        what (str): What is wrong, with the key and the value found.
        allowed (str): What would be right. Left out of the message where empty.
    """

    def __init__(self, path: str | Path, what: str = '', allowed: str = '') -> None:
        # torch raises a worker's exception again with its traceback as the one argument: then there is only a path.
        message = ': '.join(part for part in (str(path), what) if part)
        super().__init__(message + (f' (expected {allowed})' if allowed else ''))
        self.path, self.what, self.allowed = str(path), what, allowed

    def __reduce__(self):
        return type(self), (self.path, self.what, self.allowed)


class BadImageError(OSError):
    """An image exists but cannot be decoded, or only a part of it.

    A loading transform raises it for ``results['img_path']``. A data set in training then skips the sample. A transform
    that reads other images beside the sample's own must catch it: the sample itself is not bad.

    Args:
        path (str | Path): The image.
        reason (str): What is wrong with it.
    """

    def __init__(self, path: str | Path, reason: str = '') -> None:
        super().__init__(': '.join(part for part in (str(path), reason) if part))
        self.path, self.reason = str(path), reason

    def __reduce__(self):
        return type(self), (self.path, self.reason)
