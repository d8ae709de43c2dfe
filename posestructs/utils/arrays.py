"""Convert tensors to numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def to_array(value: Any) -> np.ndarray:
    """A numpy array of an array, list or tensor on any device; tensors of half precision become float32."""
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    return (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
