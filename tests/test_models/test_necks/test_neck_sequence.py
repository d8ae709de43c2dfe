"""A sequence equals its necks applied one after the other."""

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.necks import NeckSequence, TreeMessagePassing

PYRAMID = dict(type='FPN', in_channels=[4, 6], out_channels=8, num_outs=2)
FINEST = dict(type='FeatureMapProcessor', select_index=0)
MESSAGES = dict(
    type='TreeMessagePassing',
    in_channels=8,
    tree=dict(names=['hip', 'knee', 'ankle'], parents=[None, 'hip', 'knee']),
    part_channels=4,
    preset='separable',
)


def test_it_is_one_neck_after_the_other():
    torch.manual_seed(0)
    neck = NeckSequence([PYRAMID, FINEST, MESSAGES]).eval()
    pyramid, _, messages = neck.children()
    maps = torch.randn(2, 4, 16, 16), torch.randn(2, 6, 8, 8)
    expected = messages((pyramid(maps)[0],))
    assert isinstance(messages, TreeMessagePassing)
    torch.testing.assert_close(neck(maps), expected)


def test_a_head_can_ask_for_what_the_last_neck_gives():
    neck = MODELS.build(dict(type='NeckSequence', necks=[PYRAMID, FINEST, MESSAGES]))
    assert neck.out_channels == 3 * 2 * 4 and neck.tree.names == ('hip', 'knee', 'ankle')
    assert getattr(neck, 'no_such', None) is None
    with pytest.raises(AttributeError, match='no_such'):
        neck.no_such  # noqa: B018


def test_it_needs_a_neck():
    with pytest.raises(ValueError, match='necks is empty'):
        NeckSequence([])
