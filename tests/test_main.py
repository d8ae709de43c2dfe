"""``python -m posestructs TOOL``: the tools, from a folder that is not the checkout."""

import os
import subprocess
import sys

import pytest

from posestructs.__main__ import main, tools
from tests.helpers import repo_root


@pytest.fixture
def call(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, 'argv', ['posestructs', *words])
        main()
        return capsys.readouterr().out

    return call


def test_every_program_has_a_name_of_its_own():
    files = [path for folder in ('tools', 'demo') for path in (repo_root() / folder).rglob('*.py')]
    parts = {path for path in files if path.parent.name == 'onnx_pose' or path.name == 'web_layout.py'}
    assert {path.resolve() for path in tools().values()} == set(files) - parts and len(parts) > 5
    assert len(tools()) == len(files) - len(parts)


def test_it_lists_them(call):
    assert all(name in call() for name in ('train', 'test', 'browse_dataset', 'inference', 'web'))
    assert call('--help') == call()


def test_an_unknown_one_is_refused_with_those_that_are_there(call):
    with pytest.raises(SystemExit, match=r'(?s)no tool tran\n.*train'):
        call('tran')


def test_a_tool_runs_in_the_users_folder_with_its_own_flags(tmp_path):
    """The config's own module is found there; the tool's error is the tool's."""
    (tmp_path / 'my_module.py').write_text("print('imported')\n")
    (tmp_path / 'mine.py').write_text("custom_imports = dict(imports=['my_module'])\n")
    done = subprocess.run(
        [sys.executable, '-m', 'posestructs', 'train', 'mine.py', '--seed', '3'],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(repo_root())},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1 and 'imported' in done.stdout
    assert done.stderr.splitlines()[-1] == (
        'train.py: error: config mine.py sets no model, train_dataloader, train_cfg, optim_wrapper'
    )
