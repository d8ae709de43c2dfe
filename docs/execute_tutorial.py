"""Run ``docs/tutorial.ipynb`` and store what its cells print and show, so that a reader sees it without running it.

Run it with ``python docs/execute_tutorial.py`` after a change of the notebook.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('agg')
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a checkout works without being installed

NOTEBOOK = ROOT / 'docs' / 'tutorial.ipynb'
WIDTH = 400
"""Greatest width of the stored images in pixels."""

MAX_DPI = 64

Output = dict[str, Any]


def run_cells(cells: Sequence[str]) -> tuple[list[list[Output]], dict[str, Any]]:
    """Run cells one after another.

    Args:
        cells: Their texts.

    Returns:
        For each cell its outputs in nbformat's form, and the variables after the last one.
    """
    variables: dict[str, Any] = {'__name__': '__main__'}
    outputs: list[list[Output]] = []
    printed, show = io.StringIO(), plt.show
    try:
        plt.show = lambda: outputs[-1].extend([*_stream(printed), _picture()])
        with contextlib.redirect_stdout(printed):
            for text in cells:
                outputs.append([])
                exec(compile(text, NOTEBOOK.name, 'exec'), variables)
                outputs[-1] += _stream(printed)
    finally:
        plt.show = show
    return outputs, variables


def _stream(printed: io.StringIO) -> list[Output]:
    """What was printed since the last call, less mmengine's own records and what names files of this machine."""
    text = re.sub(r'\x1b\[[0-9;]*m', '', printed.getvalue())
    printed.seek(0)
    printed.truncate()
    left_out = (' - mmengine - ', str(ROOT), tempfile.gettempdir())
    lines = [line for line in text.splitlines(keepends=True) if not any(part in line for part in left_out)]
    return [dict(name='stdout', output_type='stream', text=lines)] if lines else []


def _picture() -> Output:
    """The current figure as a small JPEG."""
    figure, file = plt.gcf(), io.BytesIO()
    dpi = min(WIDTH / figure.get_figwidth(), MAX_DPI)
    figure.savefig(file, format='jpeg', dpi=dpi, bbox_inches='tight', pil_kwargs=dict(quality=60, optimize=True))
    plt.close(figure)
    data = {'image/jpeg': base64.b64encode(file.getvalue()).decode()}
    return dict(data=data, metadata={}, output_type='display_data')


def main() -> None:
    """Run the notebook in a folder that is removed afterwards, and write it."""
    notebook = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        outputs, _ = run_cells([''.join(cell['source']) for cell in cells])
    for number, (cell, found) in enumerate(zip(cells, outputs, strict=True), start=1):
        cell |= dict(outputs=found, execution_count=number)
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main()
