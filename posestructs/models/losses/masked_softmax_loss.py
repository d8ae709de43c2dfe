"""Cross entropy over parts, types and background at the cells of parts and at a random sample of the others.

Chu et al., CVPR 2016: the score maps classify each cell. The loss uses all cells that contain a part, but only a random
sample of the others, of which there are some hundred times as many:

    L = - sum over cells (x, y) of m(x, y) sum_k t_k(x, y) log softmax(z(x, y))_k

``t`` is 1/n for each of n parts in the same cell, or 1 for the background. ``m`` is 1 at cells with a part, and
elsewhere what :func:`sample_background` draws. ``t`` is never materialised: at most V cells are not background, and
their logits are gathered.

Shapes: N batch, V parts, T types, C = V*T + 1 channels (part-major, type inner, background last), h x w cells.
``cells`` (N, V) int64 are y*w + x. ``types`` (N, V) int64 are 0 to T - 1, or -1 if unknown. ``shares`` (N, V) are 1/n,
or 0 for a part without a cell. All shapes are static and nothing is copied to the host.
"""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from posestructs.utils.checks import check_choice, check_number

NORMALIZE = ('images', 'cells')


def sample_background(rates: Tensor, weights: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Sample background cells.

    Args:
        rates: (N, h, w) probability of each cell.
        weights: (N, h, w) weight of a cell if it is drawn.
        generator: Random number generator on the device of ``rates``; by default torch's global one.

    Returns:
        Tensor: (N, h, w), the weight of drawn cells, 0 for the others.
    """
    drawn = torch.rand(rates.shape, generator=generator, device=rates.device) < rates
    return weights * drawn


def part_losses(logits: Tensor, log_sum: Tensor, cells: Tensor, types: Tensor, shares: Tensor) -> Tensor:
    """Terms of the parts, each at its cell.

    For a part of unknown type, whose parent is not labelled, the probabilities of its types are summed, so that no type
    is preferred. This is an extension: in the paper's data sets all joints are labelled.

    Args:
        logits: (N, C, h, w).
        log_sum: (N, h, w) log sum exp of the logits over channels.
        cells: (N, V) int64.
        types: (N, V) int64.
        shares: (N, V).

    Returns:
        Tensor: (N, V), 0 for parts without a cell.
    """
    num_parts = cells.shape[1]
    num_types = (logits.shape[1] - 1) // num_parts
    maps = logits[:, :-1].unflatten(1, (num_parts, num_types)).flatten(3)
    at_cells = maps.gather(3, cells[:, :, None, None].expand(-1, -1, num_types, 1)).squeeze(3)
    wanted = torch.arange(num_types, device=types.device) == types[..., None]
    wanted = wanted | (types < 0)[..., None]
    # log softmax(z)_k = z_k - log sum_j exp z_j
    log_part = at_cells.masked_fill(~wanted, -torch.inf).logsumexp(dim=2)
    return shares * (log_sum.flatten(1).gather(1, cells) - log_part)


def background_losses(logits: Tensor, log_sum: Tensor, mask: Tensor) -> Tensor:
    """Terms of the background.

    Args:
        logits: (N, C, h, w).
        log_sum: (N, h, w) log sum exp of the logits over channels.
        mask: (N, h, w) from :func:`sample_background`; 0 at cells with a part.

    Returns:
        Tensor: (N, h, w).
    """
    return mask * (log_sum - logits[:, -1])


def masked_softmax_loss(
    logits: Tensor, cells: Tensor, types: Tensor, shares: Tensor, mask: Tensor, normalize: str = 'images'
) -> Tensor:
    """L, averaged over images.

    Args:
        logits: (N, C, h, w).
        cells: (N, V) int64.
        types: (N, V) int64.
        shares: (N, V).
        mask: (N, h, w) from :func:`sample_background`.
        normalize: 'images' divides the sum over all cells by N. 'cells' first divides the sum of each image by the
            number of its cells that count. In both cases an image has the same weight on every rank.

    Returns:
        Tensor: Scalar; 0 if no cell counts.
    """
    log_sum = logits.logsumexp(dim=1)
    sums = part_losses(logits, log_sum, cells, types, shares).sum(dim=1)
    sums = sums + background_losses(logits, log_sum, mask).sum(dim=(1, 2))
    if normalize == 'cells':
        # the shares of parts in one cell sum to 1, and all shares to the number of cells with a part
        sums = sums / (shares.sum(dim=1) + (mask > 0).sum(dim=(1, 2))).clamp(min=1)
    return sums.mean()


@MODELS.register_module()
class MaskedSoftmaxLoss(nn.Module):
    """Loss of :class:`PartScoreHead`: cross entropy at the cells of parts and at a random sample of the background.

    The sample is drawn on the device, anew in each call, from torch's global random numbers, so that a seed reproduces
    it. Ranks draw the same cells unless the config has ``randomness=dict(diff_rank_seed=True)``. Half-precision logits
    are summed in float32.

    Args:
        normalize: 'images' or 'cells', see :func:`masked_softmax_loss`. The release divides an image's loss by the
            number of its cells that count (the default of Caffe's loss layers), so that its learning rate of 2e-3
            belongs to 'cells'. 'images' is L as in the paper, larger by this number, some 30 to 150.
        loss_weight: Factor of the loss, at least 0.

    Raises:
        ValueError: A value is not allowed.
    """

    def __init__(self, normalize: str = 'images', loss_weight: float = 1.0) -> None:
        super().__init__()
        self.normalize = check_choice('MaskedSoftmaxLoss.normalize', normalize, NORMALIZE)
        self.loss_weight = check_number('MaskedSoftmaxLoss.loss_weight', loss_weight, 0)

    def forward(
        self,
        logits: Tensor,
        cells: Tensor,
        types: Tensor,
        shares: Tensor,
        rates: Tensor,
        weights: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a sample of the background, and compute the loss.

        Args:
            logits: (N, C, h, w).
            cells: (N, V) int64, y*w + x.
            types: (N, V) int64, -1 if unknown.
            shares: (N, V), 0 for a part without a cell.
            rates: (N, h, w) probability that a cell is drawn as background; 0 at cells with a part.
            weights: (N, h, w) weight of a cell if it is drawn.
            generator: Random number generator; by default torch's global one of the device.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: The logits do not match the parts or the cells of the targets.
        """
        self._check(logits, cells, rates)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        mask = sample_background(rates, weights, generator).to(logits.dtype)
        return self.loss_weight * masked_softmax_loss(
            logits, cells, types, shares.to(logits.dtype), mask, self.normalize
        )

    @staticmethod
    def _check(logits: Tensor, cells: Tensor, rates: Tensor) -> None:
        channels, num_parts = logits.shape[1], cells.shape[1]
        if channels < num_parts + 1 or (channels - 1) % num_parts:
            raise ValueError(
                f'MaskedSoftmaxLoss: {channels} channels of logits, targets have {num_parts} parts; '
                'allowed: parts x types + 1'
            )
        if logits.shape[-2:] != rates.shape[-2:]:
            raise ValueError(
                f'MaskedSoftmaxLoss: logits have {_size(logits)} cells (w x h), targets {_size(rates)}: heatmap_size '
                'of the codec is not the size of the feature maps'
            )


def _size(maps: Tensor) -> str:
    return f'{maps.shape[-1]} x {maps.shape[-2]}'
