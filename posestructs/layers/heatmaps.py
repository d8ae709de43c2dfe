"""Where a heatmap has its maximum: a pure tensor function without a copy to the host.

Shapes: N images, K joints, H x W cells; positions are (x, y) in cells.
"""

from __future__ import annotations

import torch
from torch import Tensor


def heatmap_peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cell and value of each map's maximum, as mmpose's ``get_heatmap_maximum``.

    Args:
        maps: (N, K, H, W).

    Returns:
        tuple[Tensor, Tensor]: (N, K, 2) x, y, both -1 where the maximum is not above 0, in the maps' type but at least
        float32; (N, K) values.
    """
    values, flat = maps.flatten(2).max(dim=2)
    width = maps.shape[3]
    cells = torch.stack([flat % width, flat.div(width, rounding_mode='floor')], dim=2)
    cells = cells.to(torch.promote_types(maps.dtype, torch.float32))
    return torch.where(values.unsqueeze(2) > 0, cells, -1.0), values
