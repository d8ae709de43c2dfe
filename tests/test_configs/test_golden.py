"""Shipped configs, models, registered names and predictions against values committed in ``golden/``.

An intended change is recorded with ``UPDATE_GOLDEN=1 python -m pytest tests/test_configs/test_golden.py`` and committed
together with what caused it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine.registry
import mmpose.registry
import numpy as np
import pytest
from mmengine.registry import Registry

from posestructs.apis import PoseInferencer
from tests.helpers import data_root, repo_root

ROOT = repo_root()
GOLDEN = Path(__file__).parent / 'golden'
UPDATE = bool(os.environ.get('UPDATE_GOLDEN'))
CHECKPOINTS = sorted((ROOT / 'demo' / 'checkpoints').glob('*.pth'))
IMPORT = re.compile(r'^\s*(?:>>> )?from (posestructs[\w.]*) import ([\w, ]+)', re.MULTILINE)


def canonical(value: Any) -> str:
    """Text of nested plain values that does not depend on the order of keys and tells tuples from lists."""
    if isinstance(value, dict):
        return '{' + ','.join(f'{key!r}:{canonical(value[key])}' for key in sorted(value, key=repr)) + '}'
    if isinstance(value, (list, tuple)):
        return f'{type(value).__name__}({",".join(map(canonical, value))})'
    return repr(value).replace(str(data_root()), 'DATA')


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def config_digest(config: dict[str, Any]) -> str:
    """Hash of a config; hooks in any order, since hooks of one priority do not depend on each other."""
    config = dict(config)
    if isinstance(config.get('custom_hooks'), list):
        config['custom_hooks'] = sorted(config['custom_hooks'], key=canonical)
    return f'{len(config)} keys, {digest(canonical(config))}'


def compare(name: str, found: Any, describe: Callable[[Any, Any], Any]) -> None:
    """Compare values with a committed file, or write the file."""
    path = GOLDEN / f'{name}.json'
    if UPDATE:
        lines = [f'{json.dumps(key)}: {json.dumps(value, sort_keys=True)}' for key, value in sorted(found.items())]
        path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    expected = json.loads(path.read_text())
    assert found.keys() == expected.keys(), 'record a new config with UPDATE_GOLDEN=1'
    assert {key: describe(expected[key], found[key]) for key in found if expected[key] != found[key]} == {}


def test_resolved_configs(shipped_configs):
    found = {name: config_digest(c.to_dict()) for name, c in shipped_configs.items()}
    compare('configs', found, lambda before, after: (before, after))


def test_state_dicts(shipped_models):
    """Names and shapes of all parameters and buffers of each config's model."""
    found = {}
    for name, model in shipped_models.items():
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        found[name] = f'{len(shapes)} entries, {digest(canonical(shapes))}'
    compare('state_dicts', found, lambda before, after: (before, after))


def registries() -> dict[str, Registry]:
    both = {**vars(mmengine.registry), **vars(mmpose.registry)}
    return {name: value for name, value in both.items() if isinstance(value, Registry)}


def test_registered_names():
    """No name that a user's config may hold is lost."""
    found = {}
    for name, registry in registries().items():
        ours = [key for key, value in registry.module_dict.items() if value.__module__.startswith('posestructs.')]
        if ours:
            found[name] = sorted(ours)
    path = GOLDEN / 'registered.json'
    if UPDATE:
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + '\n')
    lost = {name: sorted({*names} - {*found.get(name, ())}) for name, names in json.loads(path.read_text()).items()}
    assert not any(lost.values()), lost


def documented_imports() -> dict[str, list[str]]:
    """Names that README, docs and configs import, by module."""
    files = [ROOT / 'README.md', *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'configs').rglob('*.*')]
    found: dict[str, set[str]] = {}
    for path in files:
        if path.suffix not in ('.md', '.py') or '_build' in path.parts:
            continue
        text = path.read_text()
        for module, names in IMPORT.findall(text):
            found.setdefault(module, set()).update(name.strip() for name in names.split(',') if name.strip())
        for module in re.findall(r'automodule:: (posestructs[\w.]*)', text):
            found.setdefault(module, set())
    return {module: sorted(names) for module, names in found.items()}


def test_documented_imports():
    """Names that were documented once stay importable."""
    path = GOLDEN / 'imports.json'
    recorded = json.loads(path.read_text()) if path.exists() else {}
    documented = documented_imports()
    merged = {
        module: sorted({*recorded.get(module, ()), *documented.get(module, ())})
        for module in sorted(recorded.keys() | documented.keys())
    }
    if UPDATE:
        path.write_text(json.dumps(merged, indent=1) + '\n')
    for module, names in merged.items():
        imported = importlib.import_module(module)
        assert [name for name in names if not hasattr(imported, name)] == [], module


@pytest.mark.parametrize('checkpoint', CHECKPOINTS, ids=lambda path: path.stem.rpartition('-')[0])
def test_predictions_of_shipped_checkpoints(checkpoint):
    """Joints (pixels) and scores on one of the photographs."""
    path = GOLDEN / 'predictions.json'
    recorded = json.loads(path.read_text()) if path.exists() else {}
    name = checkpoint.stem.rpartition('-')[0]
    (config,) = (ROOT / 'configs').glob(f'*/{name}.py')
    inferencer = PoseInferencer(str(config), str(checkpoint), device='cpu')
    photo = ROOT / 'demo/images/balance.jpg'
    boxes = json.loads((photo.parent / 'boxes.json').read_text())[photo.name]
    (person,) = next(iter(inferencer(str(photo), bboxes=boxes)))['predictions'][0]
    if UPDATE:
        recorded[name] = {
            'keypoints': np.round(person['keypoints'], 2).tolist(),
            'keypoint_scores': np.round(person['keypoint_scores'], 4).tolist(),
        }
        lines = [f'{json.dumps(key)}: {json.dumps(value)}' for key, value in sorted(recorded.items())]
        path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    np.testing.assert_allclose(person['keypoints'], recorded[name]['keypoints'], atol=0.05)
    np.testing.assert_allclose(person['keypoint_scores'], recorded[name]['keypoint_scores'], atol=1e-3)
