"""Dockerfile: what it copies is there and is all that setting up needs, for the versions of the Makefile."""

import ast
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import repo_root

ROOT = repo_root()


@pytest.fixture(scope='module')
def instructions():
    """Name and text of each instruction, without comments and continued lines."""
    lines = [line for line in (ROOT / 'Dockerfile').read_text().splitlines() if not line.lstrip().startswith('#')]
    joined = '\n'.join(lines).replace('\\\n', ' ')
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope='module')
def copied(instructions):
    """Files and folders of the checkout that are copied, with where to."""
    words = [shlex.split(text) for name, text in instructions if name == 'COPY' and '--from' not in text]
    return {source: to for *sources, to in words for source in sources}


def test_every_file_that_is_copied_is_in_the_context(copied):
    kept = {line[1:] for line in (ROOT / '.dockerignore').read_text().splitlines() if line.startswith('!')}
    assert copied.keys() == kept
    for source, to in copied.items():
        assert (ROOT / source).exists()
        assert to == (source if (ROOT / source).is_dir() else './')


def test_the_copy_has_all_that_set_up_reads(copied, tmp_path):
    for source in copied:
        if (ROOT / source).is_file():
            shutil.copy(ROOT / source, tmp_path / source)
        else:
            (tmp_path / source).symlink_to(ROOT / source)
    script = ast.parse((ROOT / 'tools/misc/setup_env.py').read_text())
    names = {node.value for node in ast.walk(script) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    files = {name for name in names if re.fullmatch(r'[\w/]+\.(txt|toml|py)', name)}
    assert {'requirements.txt', 'setup.py', 'pyproject.toml', 'build.txt'} <= files
    for name in files:
        assert (tmp_path / name).is_file() or (tmp_path / 'requirements' / name).is_file(), name
    links = {path.name: Path(path.readlink()).name for path in (ROOT / 'posestructs' / '.mim').iterdir()}
    assert set(links.values()) <= copied.keys()


def test_torch_is_that_of_the_makefile_and_other_devices_are_refused(instructions):
    version = re.search(r'^TORCH \?= (torch==\S+)$', (ROOT / 'Makefile').read_text(), re.MULTILINE)[1]
    ((_, script),) = [row for row in instructions if 'setup_env.py' in row[1]]
    ask = script.partition('&&')[0] + '&& echo "$TORCH"'

    def chosen(device):
        return subprocess.run(['sh', '-uc', ask], env={'DEVICE': device}, capture_output=True, text=True)

    assert chosen('cuda').stdout.strip() == version
    assert chosen('cpu').stdout.startswith(f'{version} --index-url https://') and 'cpu' in chosen('cpu').stdout
    refused = chosen('gpu')
    assert refused.returncode == 1 and refused.stderr.strip() == 'DEVICE=gpu, allowed: cpu, cuda'


def test_the_result_runs_the_command_as_a_user_without_rights(instructions):
    last = max(i for i, (name, _) in enumerate(instructions) if name == 'FROM')
    final = dict(instructions[last:])
    assert final['ENTRYPOINT'] == '["posestructs"]' and final['CMD'] == '["--help"]' and int(final['USER']) > 0
    (folder,) = [text for name, text in instructions if name == 'WORKDIR'][:1]
    assert final['COPY'] == f'--from=build {folder} {folder}' and f'{folder}/.venv/bin:' in final['ENV']
    bases = {text.split()[0] for name, text in instructions if name == 'FROM'}
    assert len(bases) == 1  # the environment of the first stage links to the Python of the second
