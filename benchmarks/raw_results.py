"""Files of raw results, and arrays as text in them."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.utils.files import atomic_write


def rounded(content: Any) -> Any:
    """Nested values with numbers of six digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f'{content:.6g}') if isinstance(content, float) else content


def write_results(path: str | Path, content: Any) -> None:
    """Write results as json without blanks, numbers with six digits; missing folders are made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, (json.dumps(rounded(content), separators=(',', ':')) + '\n').encode())


def encode(array: np.ndarray) -> str:
    """An array as the base85 text of its zlib-compressed bytes: bool eight to a byte, others as uint8."""
    raw = np.packbits(array) if array.dtype == bool else array.astype(np.uint8)
    return base64.b85encode(zlib.compress(raw.tobytes(), 9)).decode()


def decode(text: str) -> np.ndarray:
    """The bytes of :func:`encode`, uint8; ``np.unpackbits`` separates those of bool."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8)
