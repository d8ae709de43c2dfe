"""Errors that a user can mend end a command with one line; others keep their traceback."""

import errno
import sys

import pytest

from posestructs.utils.usage import UsageError, report_usage_errors


def run(error, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['/tools/a.py'])

    @report_usage_errors
    def main():
        raise error

    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


def test_expected_errors_are_one_line(monkeypatch, capsys):
    assert run(UsageError('no such flag'), monkeypatch) == 'a.py: error: no such flag'
    full = OSError(errno.ENOSPC, 'No space left on device', 'out/a.pth')
    assert run(full, monkeypatch) == 'a.py: error: out/a.pth: No space left on device'
    assert run(PermissionError(errno.EACCES, 'Permission denied'), monkeypatch) == 'a.py: error: Permission denied'
    loop = OSError(errno.ELOOP, 'Too many levels of symbolic links', 'last_checkpoint')
    assert run(loop, monkeypatch) == 'a.py: error: last_checkpoint: Too many levels of symbolic links'
    assert run(KeyboardInterrupt('after 3 iterations'), monkeypatch) == 130
    assert capsys.readouterr().err == 'a.py: stopped by Ctrl-C after 3 iterations\n'


def test_other_errors_keep_their_traceback(monkeypatch):
    for error in (KeyError('a'), ConnectionResetError(errno.ECONNRESET, 'reset')):
        with pytest.raises(type(error)):
            run(error, monkeypatch)
