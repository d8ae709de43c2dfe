"""Checkpoints with payloads are refused unrun; plain numpy and mmengine objects are rebuilt."""

import io
import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from posestructs.utils.safe_load import UnsafeCheckpointError, load_safely


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker, function=os.mkdir):
        self.call = function, (str(marker),)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('form', ['torch', 'torch before 1.6', 'pickle 2', 'pickle 5'])
def test_a_payload_is_refused_unrun(form, tmp_path):
    path, marker = tmp_path / 'a.pth', tmp_path / 'executed'
    content = dict(state_dict=dict(w=torch.ones(2), x=Payload(marker)))
    if form.startswith('torch'):
        torch.save(content, path, _use_new_zipfile_serialization=form == 'torch')
    else:
        path.write_bytes(pickle.dumps(dict(x=Payload(marker)), protocol=int(form[-1])))
    with pytest.raises(UnsafeCheckpointError, match='can run code.*was not loaded.*TORCH_FORCE_NO_WEIGHTS') as error:
        load_safely(path)
    assert not marker.exists()
    assert 'will likely succeed' not in str(error.value) and 'truncated' not in str(error.value)
    if form != 'pickle 5':  # torch reads no name of it
        assert '(posix.mkdir)' in str(error.value)
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()  # the payload works


def test_the_opt_in_counts_for_files_only(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    torch.save(dict(x=Payload(tmp_path / 'executed')), tmp_path / 'a.pth')
    with pytest.raises(UnsafeCheckpointError, match='download it and load the file'):
        load_safely(tmp_path / 'a.pth', opt_in=False)
    assert not (tmp_path / 'executed').exists()
    load_safely(tmp_path / 'a.pth')
    assert (tmp_path / 'executed').exists()


@pytest.mark.parametrize('content', [b'', b'hello', b'<html>404</html>', b'PK\x03\x04 half a zip'])
def test_other_files_are_not_called_unsafe(content, tmp_path):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(Exception) as error:
        load_safely(tmp_path / 'a.pth')
    assert not isinstance(error.value, UnsafeCheckpointError)


def same(a, b):
    if isinstance(a, HistoryBuffer):
        return type(b) is HistoryBuffer and a.max_length == b.max_length and same(list(a.data), list(b.data))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and type(a) is type(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and same(a.tolist(), b.tolist())
    return a == b or (a != a and b != b)


VALUES = dict(
    float32=np.arange(6, dtype=np.float32).reshape(2, 3),
    fortran=np.asfortranarray(np.arange(6).reshape(2, 3)),
    big_endian=np.arange(3, dtype='>i4'),
    empty=np.zeros((0, 2)),
    point=np.array(2.5),
    words=np.array([['a', 'bcd']]),
    flags=np.array([True, False]),
    objects=np.array([[1, 'a', None], [2, 3, np.ones(2)]], dtype=object),
    numbers=[np.float64(0.1), np.int64(-3), np.float32(0.5), np.bool_(True), np.float64('nan')],
    history=HistoryBuffer([1.5, 2.5], [1, 3], max_length=7),
    nested=(1, [np.ones(1)], {'a': (np.ones(2), 'b')}),
)


@pytest.mark.parametrize('name', VALUES)
def test_numpy_and_mmengine_objects_are_rebuilt(name):
    buffer = io.BytesIO()
    torch.save(dict(state_dict={}, value=VALUES[name]), buffer)
    buffer.seek(0)
    assert same(load_safely(buffer)['value'], VALUES[name])


def numpy_pickle(*operations):
    """Hand-made: what `numpy.ndarray`, `numpy.dtype` or `getattr` are asked to do with hostile arguments."""
    return b'\x80\x02' + b''.join(operations) + b'.'


HOSTILE = {
    'getattr of a module': numpy_pickle(
        b'c__builtin__\ngetattr\n', b'cnumpy\ndtype\n', b'U\x04eval', b'\x86R', b')R'
    ),
    'array that is larger than its data': numpy_pickle(
        b'cnumpy._core.multiarray\n_reconstruct\n', b'cnumpy\nndarray\n', b'K\x00\x85', b'U\x01b', b'\x87R',
        b'(K\x01', b'M\xff\xff\x85', b'cnumpy\ndtype\n', b'U\x02f8', b'\x85R', b'\x89', b'U\x01x', b't', b'b',
    ),
    'record dtype': numpy_pickle(b'cnumpy\ndtype\n', b'X\x05\x00\x00\x00f4,f4', b'\x85R'),
}  # fmt: skip


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_state_of_allowed_names_is_refused(name, tmp_path):
    """The pickle stands where torch expects the content of a checkpoint."""
    import zipfile

    torch.save(dict(a=torch.ones(1)), tmp_path / 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as source, zipfile.ZipFile(tmp_path / 'b.pth', 'w') as target:
        for item in source.namelist():
            target.writestr(item, HOSTILE[name] if item.endswith('data.pkl') else source.read(item))
    with pytest.raises(UnsafeCheckpointError, match='was not loaded'):
        load_safely(tmp_path / 'b.pth')
