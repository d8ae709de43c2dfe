"""Tensors as numpy arrays."""

import numpy as np
import pytest
import torch

from posestructs.utils.arrays import to_array


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_becomes_single(dtype):
    found = to_array(torch.tensor([0.5, 3.0], dtype=dtype, requires_grad=True))
    assert found.dtype == np.float32 and found.tolist() == [0.5, 3.0]


def test_other_types_are_kept():
    assert to_array(torch.tensor([1 / 3], dtype=torch.float64)).dtype == np.float64
    assert to_array([1, 2]).tolist() == [1, 2] and to_array(torch.tensor([True])).dtype == bool
