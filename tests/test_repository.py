"""What is tracked stays small."""

import subprocess

import pytest

from tests.helpers import repo_root


def test_tracked_files_are_at_most_ten_mebibytes():
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=repo_root(), capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip('not a git checkout')
    files = [repo_root() / name for name in listed.stdout.split('\0') if name]
    assert sum(file.lstat().st_size for file in files if file.exists()) <= 10 * 2**20
