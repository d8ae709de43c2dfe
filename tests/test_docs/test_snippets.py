"""Python in README and pages is code that works: it compiles, its imports are there, its configs build models
that give maps of the right size."""

import ast
import importlib
import importlib.util
import re
import sys

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers import repo_root
from tests.test_docs import check_docs

# isort: split
from posestructs.utils.cli import load_config

ROOT = repo_root()
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'docs' / 'methods').glob('*.md'))]
BLOCKS = [
    pytest.param(text, id=f'{page.stem}-{line}')
    for page in PAGES
    for line, kind, text in check_docs.code(page)
    if kind == 'python'
]
# read beside the package that holds it: it is to be copied
sys.path.append(str(ROOT / 'tools' / 'deployment'))


@pytest.mark.parametrize('text', BLOCKS)
def test_imports_are_there(text):
    for node in ast.walk(ast.parse(text.replace(', ...)', ')'))):
        if isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize('text', [block for block in BLOCKS if "_base_ = 'mmpose::" in block.values[0]])
def test_configs_give_maps_of_the_codecs_size(text, tmp_path):
    file = tmp_path / 'own.py'
    file.write_text(text)
    cfg = load_config(str(file))
    cfg.merge_from_dict({'model.backbone.init_cfg': None})
    model = MODELS.build(cfg.model).eval()
    width, height = cfg.codec.input_size
    with torch.no_grad():
        found = model.head(model.extract_feat(torch.zeros(1, 3, height, width)))
    maps = found[0] if isinstance(found, tuple) else found
    if 'heatmap_size' in cfg.codec:
        assert maps.shape == (1, model.head.out_channels, *reversed(cfg.codec.heatmap_size))
    if 'TreeMessagePassing' in text:
        assert model.head.in_channels == model.neck.out_channels
    else:
        names = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
        assert names.index('RandomOccluder') < names.index('TopdownAffine')


def test_configs_explained_are_the_files():
    page = (ROOT / 'docs' / 'configs.md').read_text()
    shown = re.findall(r'`(configs/structured_feature/\S+\.py)`:\n\n```python\n(.*?)```', page, re.DOTALL)
    assert len(shown) == 2
    for name, text in shown:
        # comments may be left out
        code = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith('#')]
        assert text.strip() == '\n'.join(code).strip()
