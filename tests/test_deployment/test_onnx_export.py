"""Exporting and comparing, on the smallest network."""

import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from posestructs.deployment.onnx_export import INPUT, KEY, differences, export_network, open_session
from tests.helpers import repo_root


class OfBatch(nn.Module):
    """Its result depends on how many images there are, which a graph of one batch would not show."""

    def forward(self, images):
        return images if images.shape[0] == 2 else images + 1


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU()).eval()


@pytest.fixture(scope='module')
def data(network):
    return export_network(network, (10, 6), dict(joints=['a'], size=[10, 6]))


def test_any_batch_gives_the_maps_of_torch(network, data):
    found = differences(network, data, (10, 6), (1, 2, 5))
    assert [one.batch for one in found] == [1, 2, 5]
    assert all(one.largest < 1e-5 < 0.1 < one.scale for one in found)
    model = onnx.load_from_string(data)
    assert json.loads({p.key: p.value for p in model.metadata_props}[KEY]) == dict(joints=['a'], size=[10, 6])
    assert str(repo_root()).encode() not in data and not any(node.metadata_props for node in model.graph.node)


def test_another_network_differs(network, data):
    other = nn.Sequential(*network)
    changed = {name: value.clone() for name, value in network.state_dict().items()}
    changed['0.bias'][1] += 0.5

    class Changed(nn.Module):
        def forward(self, images):
            return torch.func.functional_call(other, changed, images)

    assert 0.3 < differences(Changed().eval(), data, (10, 6), [1])[0].largest < 0.6
    changed['0.bias'][1] = torch.nan
    assert differences(Changed().eval(), data, (10, 6), [1])[0].largest == np.inf


def test_a_graph_for_one_batch_only_is_refused():
    with pytest.raises(ValueError, match='the graph of OfBatch is for batches of 2 images only'):
        export_network(OfBatch(), (10, 6), {})


def test_a_session_takes_the_threads_it_is_given(data):
    session = open_session(data, 1)
    assert session.get_session_options().intra_op_num_threads == 1
    assert [item.name for item in session.get_inputs()] == [INPUT]
