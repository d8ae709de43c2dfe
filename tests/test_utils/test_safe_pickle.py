"""Plain data of every pickle protocol, and files that would run code."""

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from posestructs.utils.safe_pickle import load_pickle, loads_pickle


class Harm:
    """Content of a harmful file: a function and its arguments."""

    def __init__(self, function, *args):
        self.parts = function, args

    def __reduce__(self):
        return self.parts


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('protocol', range(2, 6))
def test_plain_data(protocol):
    sample = PoseDataSample(gt_instances=InstanceData(keypoints=np.ones((1, 3, 2), np.float32)), metainfo=dict(id=7))
    content = dict(
        numbers=[1, 2.5, True, None, 'é', b'\x00\xff', (1,), {3}, np.float32(0.1), np.int64(4)],
        arrays=[np.arange(6.0).reshape(2, 3).T, np.array(['x', 'yy']), np.array([None, {'a': 1}], object)],
        tensors=[torch.arange(4.0)[1:], torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, dtype=torch.bfloat16)],
        ordered=OrderedDict(a=1),
        sample=sample,
    )
    out = loads_pickle(pickle.dumps(content, protocol))
    assert out['numbers'] == content['numbers'] and out['ordered'] == content['ordered']
    for found, expected in zip(out['arrays'], content['arrays'], strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(out['tensors'], content['tensors'], strict=True):
        assert found.dtype == expected.dtype and torch.equal(found, expected)
    assert out['sample'].id == 7 and out['sample'].gt_instances.keypoints.shape == (1, 3, 2)


def test_nothing_of_a_harmful_file_runs(tmp_path):
    mark = tmp_path / 'ran'
    touch = Harm(os.system, f'touch {mark}')
    contents = [
        touch,
        [dict(pred_instances=touch)],
        np.array([touch], object),
        Harm(eval, f'open({str(mark)!r}, "w")'),
        # torch's own reader of storages unpickles whatever it is given
        Harm(torch.storage._load_from_bytes, pickle.dumps(touch)),
        Harm(getattr, 'x', 'join'),
    ]
    for content in contents:
        with pytest.raises(ValueError):
            loads_pickle(pickle.dumps(content))
    assert not mark.exists()
    path = tmp_path / 'dump.pkl'
    path.write_bytes(pickle.dumps(touch))
    with pytest.raises(ValueError, match='dump.pkl was not loaded: it holds posix.system, which is not plain data'):
        load_pickle(path)


@pytest.mark.parametrize('data', [b'', b'hello', pickle.dumps([1, 2, 3])[:-2], b'PK\x03\x04'])
def test_damaged_files(data):
    with pytest.raises(ValueError, match='.'):
        loads_pickle(data)
