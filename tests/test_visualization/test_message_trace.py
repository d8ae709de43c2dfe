"""Traced messages against the neck's and head's own forward pass, with messages taken away by zeroed weights."""

import copy

import pytest
import torch
from mmpose.registry import MODELS
from torch import nn

from posestructs.structures import build_tree
from posestructs.visualization import message_trace as tracing

# body - arm - hand and body - leg; body has two children, arm a child and a parent
TREE = build_tree(dict(names=['body', 'arm', 'hand', 'leg'], parents=[-1, 0, 1, 0]))
BODY, ARM, HAND, LEG = range(4)
EDGES = [ARM, HAND, LEG]  # of the neck's weights, by child
CHANNELS = 3


def build(preset='release', direction='both', shared=None, types=2, transform=None):
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(
            type='TreeMessagePassing',
            in_channels=5,
            tree=TREE,
            part_channels=CHANNELS,
            preset=preset,
            transform=transform,
            direction=direction,
            keep_input=shared is not None,
        )
    )
    head = MODELS.build(
        dict(
            type='PartScoreHead',
            in_channels=4 * 2 * CHANNELS,
            tree=TREE,
            num_types=types,
            background='plain',
            shared_channels=shared,
        )
    )
    for parameter in (*neck.parameters(), *head.parameters()):
        nn.init.normal_(parameter, std=0.4)
    return neck.double().eval(), head.double().eval()


@pytest.fixture
def feats():
    torch.manual_seed(1)
    return (torch.randn(2, 9, 4, 4).double(), torch.randn(2, 5, 9, 11).double())


def part_scores(head, logits):
    """(N, V, h, w): before the softmax, types taken together."""
    return torch.logsumexp(logits[:, :-1].unflatten(1, (4, -1)), dim=2)


@pytest.mark.parametrize('direction', ['both', 'up', 'down', 'none'])
@pytest.mark.parametrize('preset', ['release', 'paper'])
@torch.no_grad()
def test_the_trace_ends_in_what_the_neck_gives(preset, direction, feats):
    neck, head = build(preset, direction, shared=5)
    trace = tracing.trace_messages(neck, feats)
    parts, shared = neck(feats)
    updated = parts.unflatten(1, (4, 2, CHANNELS))
    torch.testing.assert_close(trace.updated['up'], updated[:, :, 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(trace.updated['down'], updated[:, :, 1], rtol=0, atol=1e-12)
    assert torch.equal(trace.shared, shared)
    up, down = {(ARM, BODY), (HAND, ARM), (LEG, BODY)}, {(BODY, ARM), (ARM, HAND), (BODY, LEG)}
    expected = dict(both=up | down, up=up, down=down, none=set())[direction]
    assert set(trace.messages) == expected
    probability = head.forward((parts, shared)).softmax(dim=1)[:, :-1].unflatten(1, (4, 2)).sum(dim=2)
    logits = part_scores(head, head.forward((parts, shared)))
    for k in range(4):
        torch.testing.assert_close(tracing.part_probability(head, trace, k), probability[:, k])
        found = tracing.part_logit(head, k, trace.updated['up'][:, k], trace.updated['down'][:, k])
        torch.testing.assert_close(found, logits[:, k])


@pytest.mark.parametrize('preset', ['release', 'paper'])
@torch.no_grad()
def test_before_messages_is_the_same_model_with_direction_none(preset, feats):
    neck, head = build(preset)
    silent, _ = build(preset, 'none')
    silent.fc7.load_state_dict(neck.fc7.state_dict())
    expected = head.forward(silent(feats)).softmax(dim=1)[:, :-1].unflatten(1, (4, 2)).sum(dim=2)
    trace = tracing.trace_messages(neck, feats)
    for k in range(4):
        before = tracing.part_probability(head, trace, k, with_messages=False)
        torch.testing.assert_close(before, expected[:, k])
        assert (before - tracing.part_probability(head, trace, k)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ('sender', 'receiver'), [(ARM, BODY), (LEG, BODY), (HAND, ARM), (BODY, ARM), (ARM, HAND), (BODY, LEG)]
)
@torch.no_grad()
def test_the_effect_of_a_message_is_what_is_missing_without_its_kernels(sender, receiver, feats):
    neck, head = build()
    found = tracing.message_effect(head, tracing.trace_messages(neck, feats), sender, receiver)
    mute = copy.deepcopy(neck)
    upward = TREE.parents[sender] == receiver
    kernels = mute.up if upward else mute.down
    edge = EDGES.index(sender if upward else receiver)
    for weight, bias in zip(kernels.kernels, kernels.biases, strict=True):
        weight[edge] = 0
        bias[edge] = 0
    full, without = (part_scores(head, head.forward(n(feats)))[:, receiver] for n in (neck, mute))
    torch.testing.assert_close(found, full - without)
    assert found.abs().max() > 1e-3


@torch.no_grad()
def test_evidence_of_both_directions_makes_up_the_score(feats):
    neck, head = build(types=1)
    nn.init.constant_(head.prediction.bias, 0.25)
    trace = tracing.trace_messages(neck, feats)
    logits = part_scores(head, head.forward(neck(feats)))
    for k in range(4):
        known = [tracing.evidence(head, trace, k, direction) for direction in ('up', 'down')]
        torch.testing.assert_close(known[0] + known[1] + 0.25, logits[:, k])


@torch.no_grad()
def test_impulse_responses_are_the_kernel_of_a_linear_transform():
    """Any map's message is the sum of the answers to its cells, each moved there."""
    neck, _ = build('paper')
    assert tracing.reach(neck) == 9
    x = torch.zeros(1, CHANNELS, 30, 26).double()
    x[:, :, 10:17, 10:14] = torch.randn(1, CHANNELS, 7, 4)
    expected = neck.transform(x, 'down', LEG) - neck.transform(torch.zeros_like(x), 'down', LEG)
    answers = [tracing.impulse_response(neck, 'down', LEG, pattern) for pattern in torch.eye(CHANNELS).double()]
    found = torch.zeros_like(expected)
    for row in range(10, 17):
        for column in range(10, 14):
            for channel, answer in enumerate(answers):
                target = found[0, :, row - 9 : row + 10, column - 9 : column + 10]
                assert answer.shape == (CHANNELS, 19, 19)
                target += x[0, channel, row, column] * answer
    torch.testing.assert_close(found[..., 9:17, 9:17], expected[..., 9:17, 9:17])


@pytest.mark.parametrize('preset', ['release', 'separable'])
@torch.no_grad()
def test_an_impulse_response_is_what_a_single_cell_causes(preset):
    """Also through a rectifier, and whatever the biases are."""
    neck, _ = build(preset)
    pattern = torch.randn(CHANNELS).double()
    answer = tracing.impulse_response(neck, 'up', HAND, pattern)
    assert answer.shape == (CHANNELS, 13, 13) and tracing.reach(neck) == 6
    x = torch.randn(2, CHANNELS, 1, 1).double() * torch.zeros(2, 1, 41, 37).double()
    x[0, :, 20, 18] = pattern
    y = neck.transform(x, 'up', HAND)
    difference = y[0] - y[1]
    torch.testing.assert_close(difference[:, 14:27, 12:25], answer)
    difference[:, 14:27, 12:25] = 0
    assert difference.abs().max() < 1e-12


@torch.no_grad()
def test_the_effective_kernel_lies_where_the_message_goes():
    neck, head = build(types=3)
    for kernels in (neck.up, neck.down):
        for parameter in kernels.parameters():
            nn.init.zeros_(parameter)
    # from hand to arm: two layers, together 4 cells right and 1 down, of channels 1 -> 0 -> 2
    hand = EDGES.index(HAND)
    neck.up.kernels[0][hand, 0, 1, 3 - 1, 3 - 2] = 2.0  # out(y, x) = 2 in(y - 1, x - 2)
    neck.up.kernels[1][hand, 2, 0, 3, 3 - 2] = 1.0
    weights = head.prediction.weight.view(4, 3, 2, CHANNELS)
    weights[HAND, :, 0] = torch.tensor([-5.0, 0.5, 0.0]).double()  # mean over types, above 0: channel 1 alone
    weights[ARM, :, 0, 2] = torch.tensor([-1.0, -4.0, -1.0]).double()
    kernel = tracing.effective_kernel(neck, head, HAND, ARM)
    expected = torch.zeros(13, 13).double()
    expected[6 + 1, 6 + 4] = 2.0 * -2.0
    torch.testing.assert_close(kernel, expected)

    x = torch.zeros(1, CHANNELS, 15, 15).double()
    x[0, 1, 5, 6] = 1
    assert neck.transform(x, 'up', HAND)[0, 2].nonzero().tolist() == [[6, 10]]
    assert not tracing.effective_kernel(neck, head, ARM, HAND).any()
