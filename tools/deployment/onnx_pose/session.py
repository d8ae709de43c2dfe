"""Open an ONNX file with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_session(path: str | Path, threads: int = 0, providers: Sequence[str] = ('CPUExecutionProvider',)) -> Any:
    """Open an ONNX file.

    Args:
        path: The file.
        threads: Threads of onnxruntime; 0 for its own choice.
        providers: Execution providers of onnxruntime.

    Returns:
        onnxruntime's ``InferenceSession``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: onnxruntime cannot load it.
    """
    import onnxruntime  # here: decoding alone needs numpy only

    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such file')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's errors have no class in common
        raise ValueError(f'{path}: onnxruntime cannot load it ({error})') from error
