"""A ``python`` that has imported posestructs already: a dozen commands, each a process of its own, for one import.

``preloaded_python.py serve SOCKET`` imports and waits. ``preloaded_python.py run SOCKET ARGS`` is what a shell calls in
the place of ``python ARGS`` (a script or ``-m MODULE``): the server forks, and the child takes over the caller's
arguments, folder, environment and open files, and does what ``python`` does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

FILES = (0, 1, 2)


def serve(path: str) -> None:
    """Fork for each caller, until the standard input ends."""
    import select

    import posestructs  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children here
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f'{path}.new')
        listener.listen()
        os.rename(f'{path}.new', path)  # who sees it can connect
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            caller, _ = listener.accept()
            with caller:
                if os.fork() == 0:
                    listener.close()
                    answer(caller)


def answer(caller: socket.socket) -> None:
    """In the child: become the command, and tell its exit status."""
    import atexit
    import traceback

    request, files, _, _ = socket.recv_fds(caller, 2**20, len(FILES))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for own, given in zip(FILES, files, strict=True):
        os.dup2(given, own)
        os.close(given)
    status = 1
    try:
        execute(**json.loads(request))
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()  # such as: end the workers of data loaders
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(bytes([status & 255]))
        os._exit(status & 255)


def execute(words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a script or module as ``python`` would."""
    import runpy
    import shutil

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = shutil.which('python')  # the caller's, for what the command starts
    if words[0] == '-m':
        sys.argv, sys.path[0] = words[1:], folder
        runpy.run_module(words[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name='__main__')


def call(path: str, words: list[str]) -> int:
    """Hand a command to the server and wait for its exit status."""
    request = json.dumps(dict(words=words, folder=os.getcwd(), environment=dict(os.environ))).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [request], FILES)
        status = server.recv(1)
    return status[0] if status else 1  # a child that was killed says nothing


if __name__ == '__main__':
    mode, socket_path, *arguments = sys.argv[1:]
    if mode == 'serve':
        serve(socket_path)
    else:
        sys.exit(call(socket_path, arguments))
