"""The hook that stores convolutions channels last."""

import torch
from torch import nn

from posestructs.engine.hooks.channels_last_hook import to_channels_last


class Stacked(nn.Module):
    """A convolution, and kernels of five dimensions as those of messages."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.kernels = nn.Parameter(torch.randn(2, 8, 8, 3, 3))

    def forward(self, x):
        return torch.relu(self.conv(x))


def test_results_and_state_stay_and_the_layout_changes():
    model, x = Stacked(), torch.randn(2, 3, 10, 12)
    before, state = model(x), {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    after = to_channels_last(model)(x)
    assert torch.allclose(before, after, atol=1e-6)
    assert after.is_contiguous(memory_format=torch.channels_last) and not before.is_contiguous(
        memory_format=torch.channels_last
    )
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    # an optimizer that was built before still holds the model's parameters
    after.sum().backward()
    optimizer.step()
    assert not torch.equal(model.conv.weight, state['conv.weight'])
