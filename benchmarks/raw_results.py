"""Files of raw results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posestructs.utils.files import atomic_write


def rounded(content: Any) -> Any:
    """Nested values with numbers of six digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f'{content:.6g}') if isinstance(content, float) else content


def write_results(path: Path, content: Any) -> None:
    """Write results as json without blanks, numbers with six digits; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, (json.dumps(rounded(content), separators=(',', ':')) + '\n').encode())
