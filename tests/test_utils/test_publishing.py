"""Weights in half precision, names with hashes, and paths that nobody has to know."""

import io
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from posestructs.utils.checkpoints import read_safely
from posestructs.utils.publishing import (
    deflated,
    halved,
    hashed_name,
    network_weights,
    others_of_name,
    release_checkpoint,
    without_local_paths,
)


def test_kernels_are_halved_and_vectors_are_not():
    state = OrderedDict(kernel=torch.rand(2, 3), variance=torch.tensor([1e-9]), count=torch.tensor([[70000]]))
    state._metadata = OrderedDict(a=dict(version=2))
    found = halved(state)
    assert [value.dtype for value in found.values()] == [torch.float16, torch.float32, torch.int64]
    assert found['variance'] == state['variance'] and found['count'] == 70000 and found._metadata == state._metadata
    layer = torch.nn.Linear(3, 2, bias=False)
    layer.load_state_dict(dict(weight=found['kernel']))
    assert layer.weight.dtype == torch.float32
    torch.testing.assert_close(layer.weight.detach(), state['kernel'], atol=5e-4, rtol=0)
    with pytest.raises(ValueError, match='weight big reaches 70000, float16 ends at 65504'):
        halved(dict(big=torch.tensor([[7e4]])))


def test_weights_with_and_without_discriminators():
    full = {'backbone.a': torch.zeros(1), 'discriminators.pose.a': torch.zeros(1)}
    assert list(network_weights(dict(state_dict=full))) == ['backbone.a']
    plain = OrderedDict({'backbone.a': torch.zeros(1)})
    plain._metadata = OrderedDict(backbone=dict(version=1))
    kept = network_weights(dict(state_dict=plain))
    assert kept is not plain and list(kept) == ['backbone.a'] and kept._metadata == plain._metadata
    for wrong in ([], dict(meta={}), dict(state_dict={})):
        with pytest.raises(ValueError, match='no state_dict'):
            network_weights(wrong)


def test_absolute_paths_become_relative_and_all_else_stays():
    value = dict(a='/x/y/data/', b=['/x/z', 3, None], c=dict(d='rel/ative'), e=('/x/y/f.py',))
    found = without_local_paths(value, Path('/x/y'))
    assert found == dict(a='data/', b=['../z', 3, None], c=dict(d='rel/ative'), e=('f.py',))
    assert value['a'] == '/x/y/data/'


def test_a_hash_belongs_to_a_content(tmp_path):
    path = tmp_path / 'name.pth'
    # the digest of b'abc' in FIPS 180-2 begins ba7816bf
    assert hashed_name(path, b'abc') == tmp_path / 'name-ba7816bf.pth'
    for name in ('name-ba7816bf.pth', 'name-0123abcd.pth', 'name-x-0123abcd.pth', 'name.pth', 'name-123.pth'):
        (tmp_path / name).touch()
    assert [p.name for p in others_of_name(path)] == ['name-0123abcd.pth', 'name-ba7816bf.pth']


def test_what_torch_would_refuse_is_not_published():
    with pytest.raises(ValueError, match='no plain form exists for meta.release.odd'):
        release_checkpoint({}, {}, '', dict(odd=object()))


def test_deflated_files_are_smaller_load_the_same_and_refuse_to_be_mapped(tmp_path):
    state = dict(a=torch.arange(5000.0), b=torch.zeros(3, 0), c=torch.tensor([float('nan')]).half())
    content = dict(meta=dict(x=[1]), state_dict=state)
    buffer, file = io.BytesIO(), tmp_path / 'deflated.pth'
    torch.save(content, buffer)
    file.write_bytes(deflated(content))
    assert file.stat().st_size < len(buffer.getvalue()) / 2 and file.read_bytes() == deflated(content)
    for found in (torch.load(file, weights_only=True), read_safely(file)):
        assert found['meta'] == dict(x=[1]) and found['state_dict'].keys() == state.keys()
        for name, value in state.items():
            torch.testing.assert_close(found['state_dict'][name], value, rtol=0, atol=0, equal_nan=True)
    with pytest.raises(RuntimeError, match='storage'):
        torch.load(file, weights_only=True, mmap=True)
