"""Generator checkpoints from models with discriminators load without a key too many or too few."""

import copy

import pytest
import torch
from mmpose.registry import MODELS

from posestructs.utils.discriminator_weights import strip_discriminators
from tests.helpers import adversarial_toy as toy


def checkpoint():
    model = toy.build()
    return dict(meta=dict(epoch=3, cfg='x'), state_dict=model.state_dict(), optimizer=dict(), message_hub=dict()), model


def test_it_loads_strictly_with_and_without_our_estimator():
    full, model = checkpoint()
    before = copy.copy(full['state_dict'])
    kept = strip_discriminators(full)
    assert set(kept) == {'meta', 'state_dict'} and kept['meta'] == full['meta']
    assert full['state_dict'].keys() == before.keys()
    assert any(name.startswith('discriminators.') for name in before)
    ours = toy.config(discriminators=None)
    plain = {key: value for key, value in ours.items() if key not in ('discriminators', 'adversarial')}
    images = toy.batch()['inputs']
    with torch.no_grad():
        expected = model.eval().head.forward(model.extract_feat(images))[-1]
    for config in (ours, dict(plain, type='TopdownPoseEstimator')):
        other = MODELS.build(config).double().eval()
        other.load_state_dict(kept['state_dict'], strict=True)
        with torch.no_grad():
            assert torch.equal(other.head.forward(other.extract_feat(images))[-1], expected)


def test_versions_of_modules_are_kept_for_those_that_stay():
    full, _ = checkpoint()
    assert 'discriminators.pose' in full['state_dict']._metadata
    kept = strip_discriminators(full)['state_dict']._metadata
    assert kept.keys() == {name for name in full['state_dict']._metadata if not name.startswith('discriminators')}


def test_what_cannot_be_stripped_is_refused():
    full, _ = checkpoint()
    with pytest.raises(ValueError, match='it has no discriminators: none of its .* weights is named discriminators'):
        strip_discriminators(strip_discriminators(full))
    for other in ({}, [1], dict(state_dict=3)):
        with pytest.raises(ValueError, match='no state_dict'):
            strip_discriminators(other)
