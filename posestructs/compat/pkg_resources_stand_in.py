"""Subset of ``pkg_resources`` that mmengine 0.10 uses, over :mod:`importlib.metadata`.

setuptools 81 dropped the module; mmengine imports it for every config with an ``mmpose::`` path.
"""

from __future__ import annotations

import os
from importlib import metadata


class DistributionNotFound(Exception):
    """No distribution of that name is installed."""


class Distribution:
    """Installed distribution as mmengine reads it: its location and metadata files."""

    def __init__(self, name: str) -> None:
        try:
            self._distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as e:
            raise DistributionNotFound(name) from e

    @property
    def location(self) -> str:
        return os.path.abspath(str(self._distribution.locate_file('')))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._distribution.read_text(name) or ''


def get_distribution(name: str) -> Distribution:
    """Find an installed distribution.

    Args:
        name: Its name, as on the package index.

    Returns:
        Distribution: Location and metadata.

    Raises:
        DistributionNotFound: It is not installed.
    """
    return Distribution(name)
