"""Differences between the weights of a file and a model."""

import pytest
import torch

from posestructs.utils.usage import UsageError
from posestructs.utils.weights_fit import all_zero, compare_weights, non_finite, weights_of

OWN = {
    'a': torch.ones(2),
    'b': torch.ones(2, 3),
    'norm.num_batches_tracked': torch.tensor(0),
    'discriminators.pose.w': torch.ones(1),
}


def test_a_file_that_fits():
    state = weights_of(dict(state_dict={'module.a': torch.zeros(2), 'module.b': torch.zeros(2, 3)}))
    misfit = compare_weights(OWN, {**state, 'discriminators.confidence.w': torch.ones(1)})
    assert not misfit and misfit.share == 1


def test_each_difference_is_counted_and_named():
    misfit = compare_weights(OWN, weights_of({'b': torch.ones(3, 2), 'c': 1, 'd': 2, 'e': 3, 'f': 4}))
    assert misfit and misfit.share == 0
    assert misfit.describe() == (
        'of another shape (1): b (3, 2) in the file, (2, 3) in the model; missing in the file (1): a; '
        'not of this model (4): c, d, e, ...'
    )
    assert compare_weights(OWN, {'a': torch.ones(2)}).share == 0.5


@pytest.mark.parametrize(
    'value, kind',
    [
        ('x', 'a str, not a tensor'),
        (None, 'a NoneType, not a tensor'),
        (torch.ones(2, dtype=torch.int64), 'torch.int64 in the file, torch.float32 in the model'),
        (torch.ones(2, dtype=torch.complex64), 'torch.complex64 in the file, torch.float32 in the model'),
        (torch.ones(2).to_sparse(), 'a tensor of layout torch.sparse_coo'),
        (torch.ones(2, device='meta'), 'a meta tensor'),
    ],
)
def test_values_that_are_not_weights(value, kind):
    state = dict(a=value, b=torch.ones(2, 3))
    misfit = compare_weights(OWN, state)
    assert misfit and misfit.share == 0.5
    assert misfit.describe() == f'of another kind (1): a is {kind}'
    assert non_finite(state, {'a', 'b'}) == []


def test_half_precision_fits():
    assert not compare_weights(OWN, dict(a=torch.ones(2).half(), b=torch.ones(2, 3).double()))


@pytest.mark.parametrize('content, found', [([1, 2], 'list'), (dict(state_dict=None), 'NoneType')])
def test_what_is_not_a_dict_of_weights(content, found):
    with pytest.raises(UsageError, match=f'the checkpoint .*{found}, allowed: a dict'):
        weights_of(content)


def test_names_of_weights_are_text():
    with pytest.raises(UsageError, match='a weight called 1, allowed: text'):
        weights_of({1: torch.ones(1)})


def test_weights_that_are_not_finite():
    nan, inf = torch.tensor([1, float('nan')]), torch.tensor([float('inf')])
    state = dict(a=nan, b=inf, c=inf, d=nan, e=torch.ones(1), f=torch.tensor(3), g='text')
    assert non_finite(state, {'a', 'b', 'e'}) == ['a', 'b', 'd']


def test_weights_that_are_all_zero():
    state = dict(a=torch.zeros(2), b=torch.zeros(1), mean=torch.ones(1))
    assert all_zero(state, {'a', 'b'})
    assert not all_zero(state | dict(b=torch.tensor([1e-30])), {'a', 'b'})
    assert not all_zero(state, ()) and not all_zero(dict(a='text'), {'a'})
