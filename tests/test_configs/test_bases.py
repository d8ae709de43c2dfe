"""Inheritance of config files: few hops, no positions in pipelines, one runtime."""

from __future__ import annotations

import ast
import re
import statistics
from functools import lru_cache
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.helpers import repo_root

ROOT = repo_root() / 'configs'
FILES = sorted(ROOT.rglob('*.py'))
PAGES = [repo_root() / 'README.md', *sorted((repo_root() / 'docs').rglob('*.md'))]


@lru_cache
def bases(path: Path) -> tuple[str, ...]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', None) == '_base_':
            value = ast.literal_eval(node.value)
            return tuple(value) if isinstance(value, list) else (value,)
    return ()


def hops(path: Path) -> int:
    """Files that are read one after another, at most, to understand a config; one of mmpose counts as one."""
    lengths = [0 if '::' in base else hops((path.parent / base).resolve()) for base in bases(path)]
    return 1 + max(lengths) if lengths else 0


def test_a_config_is_at_most_three_hops_away_from_its_values():
    found = {str(path.relative_to(ROOT)): hops(path) for path in FILES if '_base_' not in path.parts}
    assert {name: count for name, count in found.items() if count > 3} == {}
    assert statistics.median(found.values()) <= 2


def positions(source: str) -> list[int]:
    """Lines of a config that slice a list or insert into one."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, (ast.Slice, ast.Starred)) and not is_whole_list(node))
        or (isinstance(node, ast.Attribute) and node.attr == 'insert')
    ]


def test_no_config_refers_to_a_step_by_its_position():
    assert {str(path): found for path in FILES if (found := positions(path.read_text()))} == {}


def test_no_config_in_the_documents_refers_to_a_step_by_its_position():
    configs = [
        (path, code)
        for path in PAGES
        for code in re.findall(r'```python\n(.*?)```', path.read_text(), re.DOTALL)
        if '_base_ =' in code
    ]
    assert {path.name for path, _ in configs} >= {'README.md', 'dataset.md'}
    assert [(str(path), code) for path, code in configs if positions(code)] == []


@pytest.mark.parametrize('step', ['*_base_.train_pipeline[:-2]', '*_base_.train_pipeline[2:]'])
def test_a_slice_or_an_insertion_is_found(step):
    assert positions(f'steps = [\n    {step},\n]\n')
    assert positions('_base_.train_pipeline.insert(3, step)\n') == [1]
    assert positions('hooks = [*_base_.custom_hooks, hook]\n') == []


def is_whole_list(node: ast.AST) -> bool:
    """A list that is extended: ``*_base_.custom_hooks``, as against ``*_base_.train_pipeline[:3]``."""
    return isinstance(node, ast.Starred) and not isinstance(node.value, ast.Subscript)


def test_the_runtime_of_discriminators_adds_to_the_default_one():
    default, adversarial = (
        Config.fromfile(str(ROOT / '_base_' / f'{name}_runtime.py')).to_dict() for name in ('default', 'adversarial')
    )
    hooks = adversarial.pop('custom_hooks')
    shared = default.pop('custom_hooks')
    assert hooks[: len(shared)] == shared
    assert [hook['type'] for hook in hooks[len(shared) :]] == [
        'AdversarialScheduleHook',
        'DiscriminatorBalanceHook',
        'FakeLabelHook',
    ]
    assert adversarial.pop('model_wrapper_cfg') and adversarial['log_processor'].pop('mean_pattern')
    assert adversarial == default


def test_the_default_runtime_differs_from_mmposes_where_it_says_so():
    ours = Config.fromfile(str(ROOT / '_base_' / 'default_runtime.py')).to_dict()
    inherited = Config.fromstring("_base_ = 'mmpose::_base_/default_runtime.py'\n", '.py').to_dict()
    inherited['default_hooks']['checkpoint']['type'] = 'AtomicCheckpointHook'
    inherited['default_hooks']['visualization']['type'] = 'StructureVisualizationHook'
    inherited['visualizer']['type'] = 'OcclusionLocalVisualizer'
    for config in (ours, inherited):
        del config['custom_hooks']
    assert {key: ours[key] for key in inherited} == inherited
    assert ours.keys() - inherited.keys() == {'custom_imports', 'tensorboard'}
