"""The adversarial terms against the formulas of the slides, evaluated number by number."""

import math

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.models.losses.adversarial_loss import (
    AdversarialLoss,
    fake_term,
    generator_term,
    labels_by_distance,
    labels_by_map,
    per_image,
    real_term,
)

LOGITS = torch.tensor([[-7.0, -0.4, 0.0, 1.3], [2.0, -2.0, 9.0, 0.25]], dtype=torch.float64)
LABELS = torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit))


def evaluated(formula, logits=LOGITS, labels=LABELS):
    """A formula in D and t, joint by joint."""
    pairs = zip(logits.flatten().tolist(), labels.flatten().tolist(), strict=True)
    return torch.tensor([formula(sigmoid(s), t) for s, t in pairs], dtype=torch.float64).reshape(logits.shape)


def assert_same(one, other):
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)


def test_terms_are_the_slides_formulas():
    assert_same(real_term(LOGITS), evaluated(lambda d, t: math.log(d)))
    assert_same(fake_term(LOGITS, LABELS), evaluated(lambda d, t: math.log(1 - abs(d - t))))
    # G minimises the second term of what D maximises
    assert_same(generator_term(LOGITS, LABELS, 'minimax', gate=False), evaluated(lambda d, t: math.log(1 - abs(d - t))))
    assert_same(
        generator_term(LOGITS, LABELS, 'non_saturating', gate=False), evaluated(lambda d, t: -math.log(abs(d - t)))
    )


@pytest.mark.parametrize(
    'kind, formula', [('minimax', lambda d: math.log(1 - d)), ('non_saturating', lambda d: -math.log(d))]
)
def test_gate_leaves_out_correct_joints(kind, formula):
    logits = LOGITS.clone().requires_grad_()
    term = generator_term(logits, LABELS, kind, gate=True)
    assert_same(term.detach(), evaluated(lambda d, t: 0 if t == 1 else formula(d)))
    term.sum().backward()
    assert (logits.grad[LABELS == 1] == 0).all()
    assert (logits.grad[LABELS == 0] < 0).all()  # descent raises the score


@pytest.mark.parametrize('kind', ['minimax', 'non_saturating'])
def test_without_the_gate_scores_of_correct_joints_are_lowered(kind):
    logits = LOGITS.clone().requires_grad_()
    generator_term(logits, LABELS, kind, gate=False).sum().backward()
    assert (logits.grad[LABELS == 1] > 0).all() and (logits.grad[LABELS == 0] < 0).all()


def test_non_saturating_is_steep_where_minimax_is_flat():
    slopes = {}
    for kind in ('minimax', 'non_saturating'):
        logit = torch.tensor([[-20.0]], requires_grad=True)
        generator_term(logit, torch.zeros(1, 1), kind).backward()
        slopes[kind] = logit.grad.item()
    assert -1e-8 < slopes['minimax'] < 0 and slopes['non_saturating'] == pytest.approx(-1)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_terms_of_extreme_logits(dtype):
    logits = torch.tensor([[-1e4, 1e4]], dtype=dtype, requires_grad=True)
    zeros, ones = torch.zeros(1, 2, dtype=dtype), torch.ones(1, 2, dtype=dtype)
    low, high = [-1e4, 0.0], [0.0, -1e4]  # log D and log(1 - D) of D = 0 and D = 1
    for term, expected, slope in (
        (real_term(logits), low, [1, 0]),
        (fake_term(logits, ones), low, [1, 0]),
        (fake_term(logits, zeros), high, [0, -1]),
        (generator_term(logits, zeros, 'minimax'), high, [0, -1]),
        (generator_term(logits, zeros, 'non_saturating'), [1e4, 0.0], [-1, 0]),
        (generator_term(logits, ones, 'minimax'), [0.0, 0.0], [0, 0]),
        (generator_term(logits, ones, 'non_saturating'), [0.0, 0.0], [0, 0]),
    ):
        assert term.tolist() == [expected]
        assert torch.autograd.grad(term.sum(), logits)[0].tolist() == [slope]


def test_gradients():
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(real_term, logits)
    assert torch.autograd.gradcheck(lambda s: fake_term(s, LABELS), logits)
    for kind in ('minimax', 'non_saturating'):
        for gate in (True, False):
            assert torch.autograd.gradcheck(lambda s, k=kind, g=gate: generator_term(s, LABELS, k, g), logits)


def test_sum_over_joints_mean_over_images():
    terms = torch.tensor([[1.0, 10.0, 100.0], [1000.0, 1e4, 1e5]])
    weights = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    # an image without any label counts as an image, so that ranks agree
    assert per_image(terms, weights).item() == 101 / 2


def test_labels_of_p():
    maps = torch.full((1, 5, 4, 7), -0.5)
    maps[0, 0, 1, 5] = 0.3  # (5, 1), 2 cells left of the true position
    maps[0, 1, 3, 6] = 9.0  # (6, 3), exact
    maps[0, 2, 0, 0] = 0.1  # (0, 0), 5 cells away
    maps[0, 3, 2, 2] = 0.0  # no value above 0: not predicted, although the maximum is at the true position
    maps[0, 4, 3, 1] = 1.0  # 1.5 cells below
    cells = torch.tensor([[[7.0, 1.0], [6.0, 3.0], [3.0, 4.0], [2.0, 2.0], [1.0, 1.5]]])
    size = torch.tensor([10.0])

    def labels(delta, size=size):
        return labels_by_distance(maps, cells, size, delta)[0].tolist()

    assert labels(0.21) == [1, 1, 0, 0, 1]
    assert labels(0.2) == [0, 1, 0, 0, 1]  # less than delta, not equal to it
    assert labels(0.16) == [0, 1, 0, 0, 1]
    assert labels(0.14) == [0, 1, 0, 0, 0]
    assert labels(0.51) == [1, 1, 1, 0, 1]
    assert labels(0.21, size / 2) == [0, 1, 0, 0, 0]  # relative to the person's size
    assert labels(0.21, size * 0) == [0] * 5


def test_labels_of_c():
    targets, maps = torch.zeros(2, 1, 3, 4), torch.zeros(2, 1, 3, 4)
    targets[:, 0, 1, 2] = 1
    maps[1, 0, 0, 0] = 2  # sqrt(1 + 4) away, the other sqrt(1)
    for epsilon, expected in ((0.99, [0, 0]), (1.0, [0, 0]), (1.01, [1, 0]), (2.2, [1, 0]), (2.3, [1, 1])):
        assert labels_by_map(maps, targets, epsilon)[:, 0].tolist() == expected


def test_labels_of_half_precision_maps_are_made_in_float32():
    targets = torch.zeros(1, 1, 64, 64)
    maps = torch.full((1, 1, 64, 64), 4.0, dtype=torch.float16)  # the sum of squares, 65,536, is infinite in float16
    labels = labels_by_map(maps, targets, 256.5)
    assert labels.dtype == torch.float32 and labels.item() == 1
    assert labels_by_map(maps, targets, 255.5).item() == 0


def test_module_equals_the_functions():
    loss = MODELS.build(
        dict(type='AdversarialLoss', delta=0.2, epsilon=2.0, gate=False, generator_loss='non_saturating')
    )
    assert_same(loss.real(LOGITS), -real_term(LOGITS))
    assert_same(loss.fake(LOGITS, LABELS), -fake_term(LOGITS, LABELS))
    assert_same(loss.generator(LOGITS, LABELS), generator_term(LOGITS, LABELS, 'non_saturating', gate=False))
    maps, targets = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    maps[0, 0, 4, 5] = maps[0, 1, 0, 0] = 1
    cells, sizes = torch.tensor([[[4.0, 4.0], [1.5, 0.0]]]), torch.tensor([6.0])
    assert loss.labels('p_fake', maps, targets, cells, sizes).tolist() == [[1, 0]]  # 1 < 0.2 * 6 < 1.5
    assert loss.labels('all_fake', targets, targets, cells, sizes).tolist() == [[0, 0]]
    maps[0, 1, 0, 0] = 2.5
    assert loss.labels('c_fake', maps, targets, cells, sizes).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(delta=0), r'adversarial.delta=0, allowed: a finite number above 0'),
        (dict(delta=float('nan')), 'adversarial.delta=nan'),
        (dict(epsilon=-1.0), r'adversarial.epsilon=-1.0'),
        (dict(epsilon='1'), r"adversarial.epsilon='1'"),
        (dict(gate=1), r'adversarial.gate=1, allowed: True, False'),
        (dict(generator_loss='hinge'), r"adversarial.generator_loss='hinge', allowed: 'minimax', 'non_saturating'"),
    ],
)
def test_impossible_values(wrong, message):
    with pytest.raises(ValueError, match=message):
        AdversarialLoss(**wrong)
