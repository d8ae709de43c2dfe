"""Inheritance of config files: few hops, no positions in pipelines, one runtime."""

from __future__ import annotations

import ast
import statistics
from functools import lru_cache
from pathlib import Path

from mmengine.config import Config

from tests.helpers import repo_root

ROOT = repo_root() / 'configs'
FILES = sorted(ROOT.rglob('*.py'))


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


def test_no_config_refers_to_a_step_by_its_position():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, (ast.Slice, ast.Starred)) or is_whole_list(node), f'{path}:{node.lineno}'
            assert not (isinstance(node, ast.Attribute) and node.attr == 'insert'), f'{path}:{node.lineno}'


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
