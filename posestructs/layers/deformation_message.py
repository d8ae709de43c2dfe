"""What a part tells its parent in exact inference over a tree: a generalised distance transform over all types.

The score of the best placement of the part, for every cell p of its parent (Felzenszwalb and Huttenlocher, Distance
Transforms of Sampled Functions, 2012; with types and anchors as in Yang and Ramanan, CVPR 2011)::

    M(p) = max over t, x, y of  b_t(x, y) - w_x,t (x - p_x - o_x,t)^2 - w_y,t (y - p_y - o_y,t)^2

The deformation is separable, so that the maximum is taken along y, then along x together with the types.

Shapes: N images, P parts, T types, H x W cells. Penalties come as tables over the distance from the parent to the part.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from posestructs.layers.shifted_max import Workspace, shifted_argmax, shifted_max


def deformation_message(
    beliefs: Tensor, lost_x: Tensor, lost_y: Tensor, workspace: Workspace | None = None
) -> tuple[Tensor, Tensor]:
    """Score of the best placement of each part, for every cell of its parent.

    Gradients reach the beliefs and penalties of the best placements. There is no second derivative.

    Args:
        beliefs (Tensor): (N, P, T, H, W) scores of the parts by type, what their children told them included.
        lost_x (Tensor): (P, T, 2W - 1) penalties along x, see :func:`.shifted_max.penalty_table`.
        lost_y (Tensor): (P, T, 2H - 1) penalties along y.
        workspace (Workspace, optional): Memory to use again.

    Returns:
        tuple[Tensor, Tensor]: (N, P, H, W) messages M; and G, (N, P, T, H, W) maxima along y alone for each row of the
        parent, from which :func:`best_given_parent` goes back. G has no gradient.
    """
    return _DeformationMessage.apply(beliefs, lost_x, lost_y, workspace or Workspace())


def best_given_parent(
    beliefs: Tensor, columns: Tensor, parent: Tensor, lost_x: Tensor, lost_y: Tensor
) -> tuple[Tensor, Tensor]:
    """The best placement of each part, for one cell of its parent.

    Its sums are the ones whose maximum the message is, bit by bit.

    Args:
        beliefs (Tensor): (N, P, T, H, W).
        columns (Tensor): (N, P, T, H, W), G of :func:`deformation_message`.
        parent (Tensor): (N, P, 2) int64 cells (x, y).
        lost_x (Tensor): (P, T, 2W - 1).
        lost_y (Tensor): (P, T, 2H - 1).

    Returns:
        tuple[Tensor, Tensor]: (N, P, 2) int64 cells (x, y) and (N, P) int64 types.
    """
    (h, w), (px, py) = beliefs.shape[-2:], parent.unbind(-1)
    image, part = (torch.arange(size, device=beliefs.device) for size in beliefs.shape[:2])
    image = image[:, None]
    # windows on the penalties: number i is what a parent at S - 1 - i sees
    lost_x, lost_y = lost_x.unfold(-1, w, 1), lost_y.unfold(-1, h, 1)
    # max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
    best = (columns[image, part, :, py] + lost_x[part, :, w - 1 - px]).flatten(2).argmax(2)
    t, x = best.div(w, rounding_mode='floor'), best % w
    # max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
    y = (beliefs[image, part, t, :, x] + lost_y[part, t, h - 1 - py]).argmax(2)
    return torch.stack((x, y), dim=2), t


class _DeformationMessage(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, beliefs: Tensor, lost_x: Tensor, lost_y: Tensor, workspace: Workspace
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(beliefs, lost_x, lost_y)
        # G_t(p_y, x) = max over y of b_t(x, y) - w_y (y - p_y - o_y)^2
        columns = shifted_max(beliefs, lost_y, merge_types=False, workspace=workspace)
        ctx.mark_non_differentiable(columns)
        # M(p) = max over t, x of G_t(p_y, x) - w_x (x - p_x - o_x)^2
        message = shifted_max(columns.transpose(-1, -2), lost_x, merge_types=True, workspace=workspace)
        return message.transpose(-1, -2).contiguous(), columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        beliefs, lost_x, lost_y = ctx.saved_tensors
        (parts, types, h, w) = beliefs.shape[1:]
        t, y, x = _best_placements(beliefs, lost_x, lost_y)
        part, rows, cells = (torch.arange(size, device=grad.device) for size in (parts, h, w))
        kind = part[:, None, None] * types + t
        return (
            _scattered(grad, (t * h + y) * w + x, beliefs, 2),
            _scattered(grad, kind * (2 * w - 1) + w - 1 + x - cells, lost_x, 0),
            _scattered(grad, kind * (2 * h - 1) + h - 1 + y - rows[:, None], lost_y, 0),
            None,
        )


def _best_placements(beliefs: Tensor, lost_x: Tensor, lost_y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """t, y and x of the best placement for every cell of the parent, each (N, P, H, W) int64."""
    w, workspace = beliefs.shape[-1], Workspace()
    columns, y = shifted_argmax(beliefs, lost_y, merge_types=False, workspace=workspace)
    _, best = shifted_argmax(columns.transpose(-1, -2), lost_x, merge_types=True, workspace=workspace)
    best = best.transpose(-1, -2)
    # y (N, P, T, p_y, x): for each p_y the one at the best t and x
    y = y.transpose(2, 3).flatten(3).gather(3, best)
    return best.div(w, rounding_mode='floor'), y, best % w


def _scattered(grad: Tensor, index: Tensor, like: Tensor, dim: int) -> Tensor:
    """Sums of a gradient in the shape of ``like``, by indices into its dimensions from ``dim`` on as one."""
    zeros = torch.zeros_like(like, memory_format=torch.contiguous_format).flatten(dim)
    return zeros.scatter_add(dim, index.flatten(dim), grad.flatten(dim)).view_as(like)
