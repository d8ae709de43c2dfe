"""Softmax over parts, types and background at every cell, on a sample of the cells.

Chu et al., CVPR 2016: the score maps classify each cell, and the loss looks at all cells that hold a part but only at a
random few of the others, which are some hundred times as many:

    L = - sum over cells (x, y) of m(x, y) sum_k t_k(x, y) log softmax(z(x, y))_k

``t`` has a share 1/n for each of n parts in the same cell, or all of it on the background; ``m`` is 1 at cells with a
part, and what :func:`sample_background` drew elsewhere. ``t`` is never written out: of its V*T + 1 channels at most V
cells are not background, so those are gathered.

Shapes: N images, V parts, T types, C = V*T + 1 channels (part-major, type inner, background last), h x w cells.
``cells`` (N, V) int64 are y*w + x. ``types`` (N, V) int64 are 0 to T - 1, or -1 where not known. ``shares`` (N, V) are
1/n, or 0 where a part has no cell. All shapes are fixed and nothing is read back, so that a GPU is never waited for.
"""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

NORMALIZE = ('images', 'cells')


def sample_background(rates: Tensor, weights: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw the background cells that count, and what each weighs.

    Args:
        rates (Tensor): (N, h, w) probability of each cell.
        weights (Tensor): (N, h, w) what it weighs if drawn.
        generator (torch.Generator, optional): Of the device of ``rates``; by default torch's own.

    Returns:
        Tensor: (N, h, w), the weight where a cell was drawn, else 0.
    """
    drawn = torch.rand(rates.shape, generator=generator, device=rates.device) < rates
    return weights * drawn


def part_losses(logits: Tensor, log_sum: Tensor, cells: Tensor, types: Tensor, shares: Tensor) -> Tensor:
    """The terms of the parts, each at its cell.

    A part whose type is not known (its parent is not labelled) is scored on the sum over its types, so that no type is
    preferred. This is an extension: the paper's data sets have all joints labelled.

    Args:
        logits (Tensor): (N, C, h, w).
        log_sum (Tensor): (N, h, w) log sum exp of the logits over channels.
        cells (Tensor): (N, V) int64.
        types (Tensor): (N, V) int64.
        shares (Tensor): (N, V).

    Returns:
        Tensor: (N, V), 0 where a part has no cell.
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
    """The terms of the background.

    Args:
        logits (Tensor): (N, C, h, w).
        log_sum (Tensor): (N, h, w) log sum exp of the logits over channels.
        mask (Tensor): (N, h, w) of :func:`sample_background`; 0 at cells with a part.

    Returns:
        Tensor: (N, h, w).
    """
    return mask * (log_sum - logits[:, -1])


def cell_losses(logits: Tensor, cells: Tensor, types: Tensor, shares: Tensor, mask: Tensor) -> Tensor:
    """What each cell contributes to L: the same terms as :func:`masked_softmax_loss`, each at its place.

    Args:
        logits (Tensor): (N, C, h, w).
        cells (Tensor): (N, V) int64.
        types (Tensor): (N, V) int64.
        shares (Tensor): (N, V).
        mask (Tensor): (N, h, w) of :func:`sample_background`.

    Returns:
        Tensor: (N, h, w).
    """
    log_sum = logits.logsumexp(dim=1)
    parts = part_losses(logits, log_sum, cells, types, shares)
    background = background_losses(logits, log_sum, mask)
    return background.flatten(1).scatter_add(1, cells, parts).view_as(background)


def masked_softmax_loss(
    logits: Tensor, cells: Tensor, types: Tensor, shares: Tensor, mask: Tensor, normalize: str = 'images'
) -> Tensor:
    """L, per image.

    Args:
        logits (Tensor): (N, C, h, w).
        cells (Tensor): (N, V) int64.
        types (Tensor): (N, V) int64.
        shares (Tensor): (N, V).
        mask (Tensor): (N, h, w) of :func:`sample_background`.
        normalize (str): 'images': the sum over all cells, divided by N. 'cells': each image's sum is divided by the
            number of its cells that count before the mean is taken. Either way an image weighs the same on every rank.

    Returns:
        Tensor: A scalar; 0 where no cell counts.
    """
    log_sum = logits.logsumexp(dim=1)
    sums = part_losses(logits, log_sum, cells, types, shares).sum(dim=1)
    sums = sums + background_losses(logits, log_sum, mask).sum(dim=(1, 2))
    if normalize == 'cells':
        # shares of parts in one cell add up to 1, so their sum is the number of cells with a part
        sums = sums / (shares.sum(dim=1) + (mask > 0).sum(dim=(1, 2))).clamp(min=1)
    return sums.mean()


@MODELS.register_module()
class MaskedSoftmaxLoss(nn.Module):
    """Loss of :class:`PartScoreHead`: cross entropy at the cells of parts and at a random sample of the background.

    The sample is drawn here, on the device, anew for each call, from torch's own random numbers: a run's seed repeats
    it. Ranks draw the same cells unless the config has ``randomness=dict(diff_rank_seed=True)``. Half precision logits
    are summed in float32.

    Args:
        normalize (str): 'images' (default) or 'cells', see :func:`masked_softmax_loss`. The release divides an image's
            loss by its number of used cells (the default of Caffe's loss layers), so that its learning rate of 2e-3
            belongs to 'cells'. 'images' is L as the paper writes it: about as many times as large as an image has used
            cells, some 30 to 150.
        loss_weight (float): Factor of the loss. Defaults to 1.

    Raises:
        ValueError: ``normalize`` is neither.
    """

    def __init__(self, normalize: str = 'images', loss_weight: float = 1.0) -> None:
        super().__init__()
        if normalize not in NORMALIZE:
            raise ValueError(f'MaskedSoftmaxLoss.normalize={normalize!r}, allowed: {NORMALIZE}')
        self.normalize = normalize
        self.loss_weight = loss_weight

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
        """Draw the sample and score it.

        Args:
            logits (Tensor): (N, C, h, w).
            cells (Tensor): (N, V) int64, y*w + x.
            types (Tensor): (N, V) int64, -1 where not known.
            shares (Tensor): (N, V), 0 where a part has no cell.
            rates (Tensor): (N, h, w) probability that a cell is drawn as background; 0 at cells with a part.
            weights (Tensor): (N, h, w) what it weighs then.
            generator (torch.Generator, optional): For repeatable draws; by default torch's own of the device.

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: The logits do not fit the parts or the cells of the targets.
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
                'expected parts x types + 1'
            )
        if logits.shape[-2:] != rates.shape[-2:]:
            raise ValueError(
                f'MaskedSoftmaxLoss: logits have {_size(logits)} cells (w x h), targets {_size(rates)}: heatmap_size '
                'of the codec must be the size of the feature maps'
            )


def _size(maps: Tensor) -> str:
    return f'{maps.shape[-1]} x {maps.shape[-2]}'
