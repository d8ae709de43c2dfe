"""Exceptions for faulty annotation files and images."""

from __future__ import annotations

from pathlib import Path

from posestructs.utils.images import BadImageError

__all__ = ['AnnotationError', 'BadImageError']


class AnnotationError(ValueError):
    """An annotation file cannot be used.

    Args:
        path: The file.
        what: The fault, with the key and the value found.
        allowed: The values that are allowed. Left out of the message where empty.
    """

    def __init__(self, path: str | Path, what: str = '', allowed: str = '') -> None:
        # torch raises a worker's exception again with its traceback as the one argument: then there is only a path.
        message = ': '.join(part for part in (str(path), what) if part)
        super().__init__(message + (f', allowed: {allowed}' if allowed else ''))
        self.path, self.what, self.allowed = str(path), what, allowed

    def __reduce__(self):
        return type(self), (self.path, self.what, self.allowed)
