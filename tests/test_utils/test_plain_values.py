"""Everything a checkpoint may hold, through a file that torch loads with weights_only=True."""

import enum
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from posestructs.utils.plain_values import from_plain, make_plain, restore, to_plain


def through_a_file(content, tmp_path):
    torch.save(content, tmp_path / 'file')
    return torch.load(tmp_path / 'file', weights_only=True)


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    pass


def test_round_trip_of_every_kind(tmp_path):
    buffer = HistoryBuffer([1.5, 2.5], [1, 3], max_length=7)
    content = dict(
        number=np.float32(0.1),
        count=np.int64(3),
        flag=np.bool_(True),
        array=np.arange(6, dtype=np.int16).reshape(2, 3),
        scalar_array=np.array(2.5),
        words=np.array([['a'], ['bcd']]),
        objects=np.array([1, 'x', None], dtype=object),
        nested=[dict(buffer=buffer), (1, 'x', None), {1, 2}],
        tensor=torch.arange(3),
        text='plain',
        level=Level.HIGH,
        name=Name('n'),
        keys={np.int64(1): 'a'},
    )
    odd = []
    back = from_plain(through_a_file(to_plain(content, odd=odd), tmp_path))
    assert odd == []
    assert back['number'] == float(np.float32(0.1)) and back['count'] == 3 and back['flag'] is True
    for key in ('array', 'scalar_array', 'words', 'objects'):
        np.testing.assert_array_equal(back[key], content[key])
        assert back[key].dtype == content[key].dtype and back[key].shape == content[key].shape
    restored = back['nested'][0]['buffer']
    assert [v.tolist() for v in restored.data] == [[1.5, 2.5], [1, 3]] and restored.max_length == 7
    assert restored.mean() == buffer.mean()
    assert back['nested'][1:] == [(1, 'x', None), {1, 2}] and back['text'] == 'plain'
    assert torch.equal(back['tensor'], content['tensor'])
    assert back['level'] == 3 and type(back['level']) is int and back['name'] == 'n' and back['keys'] == {1: 'a'}
    assert content['nested'][0]['buffer'] is buffer  # the original is untouched


def test_foreign_byte_order_keeps_its_values(tmp_path):
    big = np.array([1.5, -2.0], dtype='>f4')
    np.testing.assert_array_equal(from_plain(through_a_file(to_plain(big), tmp_path)), big)


@pytest.mark.parametrize(
    'value', [np.zeros(2, np.longdouble), np.array(['2020-01-01'], 'M8[D]'), np.longdouble(1), object(), {object(): 1}]
)
def test_what_has_no_plain_form_is_kept_and_named(value):
    odd = []
    kept = to_plain(dict(a=[value]), 'meta', odd)['a'][0]
    assert len(odd) == 1 and 'meta.a[0]' in odd[0]
    assert kept is value or kept == value


def test_state_dicts_keep_their_versions():
    ema = torch.nn.BatchNorm1d(2).state_dict()
    Step = namedtuple('Step', 'lr')
    checkpoint = dict(
        state_dict=OrderedDict(), ema_state_dict=ema, param_schedulers=[Step(0.1)], meta=dict(a=np.ones(2))
    )
    assert make_plain(checkpoint) == []
    assert checkpoint['ema_state_dict']._metadata == ema._metadata
    assert checkpoint['param_schedulers'] == [(0.1,)]
    assert torch.equal(checkpoint['meta']['a'], torch.ones(2, dtype=torch.float64))  # as mmpose's own tools read it
    restore(checkpoint)
    assert checkpoint['ema_state_dict']._metadata == ema._metadata
    assert isinstance(checkpoint['meta']['a'], np.ndarray)
    weights = OrderedDict(w=torch.ones(1))
    assert restore(weights) is weights and torch.equal(weights['w'], torch.ones(1))
