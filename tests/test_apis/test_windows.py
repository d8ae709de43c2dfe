"""A window is refused where none can open."""

import cv2
import pytest

from posestructs.apis.windows import check_window


def test_no_display(monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(ValueError, match='neither DISPLAY nor WAYLAND_DISPLAY'):
        check_window()


def test_an_opencv_without_windows(monkeypatch):
    monkeypatch.setenv('DISPLAY', ':0')
    try:
        cv2.destroyAllWindows()
    except cv2.error:  # what every call of a headless OpenCV gives
        with pytest.raises(ValueError, match='opencv-python-headless'):
            check_window()
    else:
        check_window()
