"""Files of raw results, and arrays as text in them."""

from __future__ import annotations

import base64
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np

from posestructs.utils.files import atomic_write

# raw, as the header of a file would be a tenth of a short array; literals without context, as neighbours tell little
_FILTERS = [dict(id=lzma.FILTER_LZMA1, preset=9, lc=0, lp=0, pb=0, dict_size=1 << 16)]


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
    """An array as the base85 text of its LZMA-compressed bytes: bool eight to a byte, others as uint8."""
    raw = np.packbits(array) if array.dtype == bool else array.astype(np.uint8)
    return base64.b85encode(lzma.compress(raw.tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)).decode()


def decode(text: str) -> np.ndarray:
    """The bytes of :func:`encode`, uint8; ``np.unpackbits`` separates those of bool.

    Raises:
        ValueError: The text is damaged.
    """
    try:
        return np.frombuffer(lzma.decompress(base64.b85decode(text), lzma.FORMAT_RAW, filters=_FILTERS), np.uint8)
    except lzma.LZMAError as error:
        raise ValueError(f'damaged array {text[:20]!r}...: {error}') from error
