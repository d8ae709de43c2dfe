"""BEGAN's balance by hand."""

import pytest
import torch

from posestructs.models.losses import BEGANLoss


def test_k_follows_the_errors_and_stays_between_0_and_1():
    loss = BEGANLoss(gamma=0.5, lambda_k=0.01)
    # errors of 40 and 10: k + 0.01 (0.5 * 40 - 10)
    assert loss.update(torch.tensor(-40.0), torch.tensor(-10.0))['k'].item() == pytest.approx(0.1)
    assert loss.update(torch.tensor(-40.0), torch.tensor(-15.0))['k'].item() == pytest.approx(0.15)
    assert loss.update(torch.tensor(-10.0), torch.tensor(-100.0))['k'] == 0
    assert loss.update(torch.tensor(-1000.0), torch.tensor(-1.0))['k'] == 1
    again = BEGANLoss()
    again.load_state_dict(loss.state_dict())
    assert again.k == 1


def test_losses_by_hand():
    loss = BEGANLoss()
    loss.k.fill_(0.25)
    logits = torch.tensor([[-3.0, -8.0]])
    assert loss.real(logits).tolist() == loss.generator(logits, None).tolist() == [[3, 8]]
    assert loss.fake(logits, None).tolist() == [[-0.75, -2]]
    with pytest.raises(ValueError, match=r'BEGANLoss.gamma=2, allowed'):
        BEGANLoss(gamma=2)
