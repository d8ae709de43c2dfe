"""A file is whole or not there, whenever the process dies."""

import errno
import os
import resource
import signal
import time

import pytest

from posestructs.utils.files import atomic_write, partial_path


def test_writes_new_and_old_files(tmp_path):
    file = tmp_path / 'new' / 'a.pth'
    for content in (b'first', b'second, longer'):
        atomic_write(file, content)
        assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_failed_write_keeps_the_old_file(tmp_path):
    file = tmp_path / 'a.pth'
    atomic_write(file, b'old')
    with pytest.raises(TypeError):
        atomic_write(file, 'no bytes')
    assert file.read_bytes() == b'old' and list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_named_and_leaves_no_part(tmp_path):
    file = tmp_path / 'a.pth'
    child = os.fork()
    if child == 0:  # a limit of the file size stands for a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            atomic_write(file, b'x' * 100_000)
        except OSError as error:
            os._exit(0 if error.errno == errno.EFBIG and error.filename == str(file) else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not list(tmp_path.iterdir())


def test_killed_write_keeps_the_old_file(tmp_path):
    file = tmp_path / 'a.pth'
    atomic_write(file, b'old')
    new = b'x' * 200_000_000
    for _ in range(5):  # the write may end before the signal arrives
        child = os.fork()
        if child == 0:
            atomic_write(file, new)
            os._exit(0)
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if partial_path(file).exists() and partial_path(file).stat().st_size:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.0005)
        if partial_path(file).exists():
            break
    assert partial_path(file).exists()
    assert file.read_bytes() == b'old'
