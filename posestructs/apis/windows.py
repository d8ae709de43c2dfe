"""Check that a window can open."""

from __future__ import annotations

import re

import cv2

from posestructs.utils.cli import has_display
from posestructs.utils.usage import UsageError


def check_window() -> None:
    """Refuse to show images without a display.

    Raises:
        UsageError: There is no display, or this OpenCV has no windows.
    """
    if not has_display():
        raise UsageError('show needs a display (neither DISPLAY nor WAYLAND_DISPLAY is set): save images instead')
    if re.search(r'^\s*GUI:\s+NONE', cv2.getBuildInformation(), re.MULTILINE):
        raise UsageError(
            'show needs an OpenCV with windows, this is opencv-python-headless: pip install opencv-python, or save '
            'images instead'
        )
