"""``python -m posestructs TOOL``: the tools, from a folder that is not the checkout."""

import os
import subprocess
import sys

import pytest

import posestructs
from posestructs.__main__ import COMMANDS, commands, main, tools
from posestructs.version import __version__
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
    parts = {path for path in files if "if __name__ == '__main__':" not in path.read_text()}
    assert {path.resolve() for path in tools().values()} == set(files) - parts and len(parts) > 5
    stems = [path.stem for path in set(files) - parts]
    assert set(COMMANDS) | set(stems) == set(tools()) and len(set(stems)) == len(stems)
    maintainers = {'setup_env', 'stick_figure_sheet', 'publish_model', 'movenet_to_mmpose'}
    assert not maintainers & {path.stem for path in commands().values()}


def test_help_has_a_line_for_each_command(call):
    lines = dict(line.split(maxsplit=1) for line in call('--help').splitlines() if line.startswith('  '))
    assert lines.keys() == {*COMMANDS, 'compat', '--help', '--version'}
    assert lines['train'] == 'Train a pose model.'
    assert all(text.endswith(('.', 'text', 'version')) and '`' not in text for text in lines.values())
    assert all(len(text) < 110 for text in lines.values())
    assert call() == call('--help')
    assert call('--version') == f'posestructs {__version__}\n'


def test_an_unknown_command_is_refused_with_those_that_are_there(call):
    with pytest.raises(
        SystemExit, match=r'^posestructs: error: no command tran \(did you mean train\?\), allowed: train, '
    ):
        call('tran')


@pytest.mark.parametrize('name', ['fit-deformation', 'fit_deformation'])
def test_messages_of_a_command_begin_with_its_name(call, capsys, name):
    with pytest.raises(SystemExit, match=f'^posestructs {name}: error: config gone.py does not exist'):
        call(name, 'gone.py')
    with pytest.raises(SystemExit):
        call(name, '--help')
    out = capsys.readouterr().out
    assert out.startswith(f'usage: posestructs {name} [-h]')
    with pytest.raises(SystemExit):
        call(name, '--no-such-flag')
    assert f'\nposestructs {name}: error: ' in capsys.readouterr().err


def test_the_report_has_a_command_line_of_its_own(call, capsys):
    for words, status, text in (
        (['--help'], 0, 'usage: posestructs compat [-h]'),
        (['--bogus'], 2, 'arguments: --bogus'),
    ):
        with pytest.raises(SystemExit) as stopped:
            call('compat', *words)
        out, err = capsys.readouterr()
        assert stopped.value.code == status and text in out + err and 'numpy' not in out


def test_the_exit_status_is_that_of_the_command(call):
    """The converter returns it."""
    with pytest.raises(SystemExit) as stopped:
        call('mpii-occlusion', 'gone.json', 'gone.h5')
    assert stopped.value.code == 1


@pytest.mark.parametrize('words', [['predict-onnx', '--help'], ['predict_onnx', '--help']])
def test_the_onnx_tool_imports_neither_torch_nor_mmpose(words):
    command = [sys.executable, '-X', 'importtime', '-m', 'posestructs', *words]
    done = subprocess.run(command, cwd=repo_root(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and f'usage: posestructs {words[0]} ' in done.stdout
    imported = {line.rpartition('|')[2].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert 'onnx_pose' in imported and not imported & {'torch', 'mmcv', 'mmengine', 'mmpose', 'cv2'}


@pytest.mark.parametrize('words', [['--help'], ['--version'], []])
def test_help_imports_no_component(words):
    command = [sys.executable, '-X', 'importtime', '-m', 'posestructs', *words]
    done = subprocess.run(command, cwd=repo_root(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and 'posestructs' in done.stdout
    imported = {line.rpartition('|')[2].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert 'posestructs' in imported and not imported & {'torch', 'numpy', 'mmengine', 'mmpose'}


@pytest.mark.parametrize(
    'words, is_command',
    [
        (['python', '-m', 'posestructs.compat'], True),
        (['python', '-u', '-W', 'ignore', '-m', 'posestructs', '--help'], True),
        (['python', '/usr/bin/posestructs'], True),
        (['python', '/usr/bin/posestructs', 'compat'], True),
        (['python', '/usr/bin/posestructs', 'train', '--help'], True),
        (['python', '-m', 'posestructs', 'train'], True),
        (['python', '-m', 'posestructs.models'], False),
        (['python', '-m', 'pytest', 'posestructs'], False),
        (['python', 'mine.py', '-m', 'posestructs'], False),
        (['python'], False),
    ],
)
def test_only_the_command_registers_components_itself(words, is_command):
    assert posestructs._is_command(words) is is_command


def test_other_programs_have_all_components():
    posestructs.register()  # once more
    assert set(posestructs.__all__) >= {'__version__', 'compat', 'codecs', 'models', 'visualization'}
    assert all(hasattr(posestructs, name) for name in posestructs.__all__)


@pytest.mark.parametrize('words', [['train', '--help'], ['predict', 'a.jpg']])
def test_a_stop_while_packages_are_imported_is_one_line(words, tmp_path):
    (tmp_path / 'mmpose').mkdir()
    (tmp_path / 'mmpose/__init__.py').write_text('raise KeyboardInterrupt')
    command = [sys.executable, '-m', 'posestructs', *words]
    env = os.environ | {'PYTHONPATH': f'{tmp_path}{os.pathsep}{repo_root()}'}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 130 and done.stderr == 'posestructs: stopped by Ctrl-C\n' and not done.stdout


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
        'posestructs train: error: config mine.py sets no model, train_dataloader, train_cfg, optim_wrapper'
    )
