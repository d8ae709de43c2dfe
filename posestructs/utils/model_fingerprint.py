"""Fingerprint of a model's weights."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

_PARTS = ('backbone', 'neck', 'head')


def model_fingerprint(model: nn.Module) -> str:
    """Hash the weights that predictions depend on.

    Discriminators and optimizers do not count, nor do the device and the counters of batch normalisation.

    Args:
        model: A pose estimator with ``backbone``, and perhaps ``neck`` and ``head``.

    Returns:
        str: 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.split('.')[0] in _PARTS and not name.endswith('num_batches_tracked'):
            digest.update(f'{name} {tuple(tensor.shape)}'.encode())
            digest.update(tensor.detach().to('cpu', torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
