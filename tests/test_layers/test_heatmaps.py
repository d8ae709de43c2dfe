"""Peaks against mmpose's numpy function."""

import numpy as np
import pytest
import torch
from mmpose.codecs.utils import get_heatmap_maximum

from posestructs.layers.heatmaps import heatmap_peaks


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_peaks_are_those_of_mmpose(dtype):
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 7, 11).to(dtype)
    maps[1, 2], maps[2, 0] = -1, 0  # nothing above 0
    cells, values = heatmap_peaks(maps)
    expected, scores = get_heatmap_maximum(maps.numpy())
    np.testing.assert_array_equal(cells.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), scores)
    assert cells.dtype == torch.promote_types(dtype, torch.float32)
