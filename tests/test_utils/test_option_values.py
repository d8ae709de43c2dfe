"""Values of --cfg-options: as mmengine reads them, and dicts, which it does not."""

import argparse
from math import inf

import pytest
from mmengine.config import Config, DictAction

from posestructs.utils.option_values import OptionAction, read_option


@pytest.mark.parametrize(
    'text, value',
    [
        ('[dict(type=LinearLR,end=5,start_factor=1e-3)]', [dict(type='LinearLR', end=5, start_factor=1e-3)]),
        ('[{"type": "A", "b": [1, (2, -3)]}]', [dict(type='A', b=[1, (2, -3)])]),
        ('{type:mmpose.A,b:true,c:None,d:inf}', dict(type='mmpose.A', b=True, c=None, d=inf)),
        ('{0:dict(x=1)}', {0: dict(x=1)}),
        ("dict(text='two words')", dict(text='two words')),
    ],
)
def test_dicts(text, value):
    assert read_option(text) == value


@pytest.mark.parametrize('text', ['1', '1e-3', 'a', '1,2', '[a,b]', '[(1,2),[a]]', '(1,)', 'true', 'None', 'a=b', ''])
def test_other_values_are_those_of_mmengine(text):
    assert read_option(text) == DictAction._parse_iterable(text)


@pytest.mark.parametrize(
    'text', ['dict(a=1', '[1,2', '(1,2),(3,4)', '{(1,):2}', 'dict(a=b+c)', 'dict(**a)', 'dict(a=f(1))', '{' * 400]
)
def test_what_cannot_be_read_is_one_line(text, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', f'a.b={text}'])
    last = capsys.readouterr().err.splitlines()[-1]
    assert 'argument --cfg-options: a.b: ' in last and len(last) < 200


def test_a_list_of_dicts_reaches_the_config():
    config = Config(dict(param_scheduler=[dict(type='MultiStepLR', milestones=[1])]))
    config.merge_from_dict(dict(param_scheduler=read_option('[dict(type=LinearLR,end=5)]')))
    assert config.param_scheduler[0].type == 'LinearLR' and config.param_scheduler[0].end == 5
