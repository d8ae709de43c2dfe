"""Devices that are not there, or are none."""

import pytest
import torch

from posestructs.apis.devices import check_device


def test_devices():
    assert check_device(None) is None
    assert check_device('cpu') == check_device(torch.device('cpu')) == 'cpu'
    for device in ('cuda:77', 'gpu', 'cuda:x', 'meta', 'xla', 'xpu:77', 'mps:1', 1.5, ''):
        with pytest.raises(ValueError, match=f'device {device!r}.* allowed here: cpu'):
            check_device(device)
