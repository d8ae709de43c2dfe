"""The progress bar on a real pseudo-terminal: what a person sees while a model trains, is tested, or crashes."""

import atexit
import fcntl
import os
import pty
import re
import runpy
import struct
import sys
import termios
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import HistoryBuffer

from posestructs.engine.hooks import ProgressHook
from posestructs.engine.hooks.progress_hook import losses_shown
from tests.helpers import data_root, needs_data, repo_root

WIDTH = 100
TINY = repo_root() / 'tests' / 'test_tools' / 'tiny_mpii-64x64.py'


class Screen:
    """A terminal without a height: rows of characters, a cursor, and every bar that was ever on it."""

    def __init__(self):
        self.rows, self.row, self.column, self.cursor = [''], 0, 0, True
        self.bars = []

    def feed(self, text):
        for token in re.findall(r'\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+', text):
            if '━' in self.rows[self.row]:
                self.bars.append(self.rows[self.row].rstrip())
            self.apply(token)

    def apply(self, token):
        if token == '\r':
            self.column = 0
        elif token == '\n':
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append('')
        elif token == '\x1b[2K':
            self.rows[self.row] = ''
        elif re.fullmatch(r'\x1b\[\d*A', token):
            self.row -= int(token[2:-1] or 1)
        elif token in ('\x1b[?25h', '\x1b[?25l'):
            self.cursor = token.endswith('h')
        elif token.endswith('m') and token.startswith('\x1b'):
            pass  # a colour
        elif token.startswith('\x1b'):
            raise AssertionError(f'unexpected sequence {token!r}')
        else:
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + token + row[self.column + len(token) :]
            self.column += len(token)


def on_a_terminal(tool, *args, term='xterm-256color'):
    """Run a tool's main in a child process on a pseudo-terminal.

    A fork instead of a command, as it need not import anything again.
    """
    child, terminal = pty.fork()
    if child == 0:
        status = 1
        try:
            os.environ.update(TERM=term, POSESTRUCTS_DATA=str(data_root()), COLUMNS='')
            sys.stdout = open(1, 'w', closefd=False)
            sys.stderr = open(2, 'w', closefd=False)
            torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
            sys.argv = [tool, *map(str, args)]
            runpy.run_path(str(repo_root() / 'tools' / tool), run_name='__main__')
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            atexit._run_exitfuncs()  # as at the end of any process; os._exit skips them
            sys.stdout.flush()
            os._exit(status)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, WIDTH, 0, 0))
    output = b''
    while True:
        try:
            output += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), output.decode()


def logged(work_dir):
    """Lines of the newest log file from the first loop on, without their times."""
    file = sorted(work_dir.glob('*/*.log'))[-1]
    lines = file.read_text().splitlines()
    return [line.split(' - ', 1)[1].rstrip() for line in lines if re.search(r'Epoch\((train|val|test)\)|Saving', line)]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('bar') / 'w'
    # forked while the bar is there; the screen gets every line of the file
    options = ['--cfg-options', 'train_dataloader.num_workers=1', 'log_level=DEBUG']
    status, output = on_a_terminal('train.py', TINY, '--work-dir', work_dir, '--seed', 1, *options)
    assert status == 0, output
    return work_dir, output


def assert_lines_are_whole_and_no_bar_stays(screen, work_dir):
    rows = [row.split(' - ', 1)[1].rstrip() for row in screen.rows if ' - mmengine - ' in row]
    wanted = logged(work_dir)
    assert len(wanted) > 3 and [row for row in rows if row in wanted] == wanted
    assert not any('━' in row for row in screen.rows)
    assert screen.cursor


@needs_data
def test_training(trained):
    work_dir, output = trained
    screen = Screen()
    screen.feed(output)
    assert_lines_are_whole_and_no_bar_stays(screen, work_dir)
    train = r'train [12]/2 [━╸╺]+ +[123]/3 loss 0\.\d+  \d+\.\d img/s  ETA 0:00:\d\d'
    assert {row.split()[1] for row in screen.bars if re.fullmatch(train, row)} == {'1/2', '2/2'}
    assert any(re.fullmatch(r'val +[━╸╺]+ +[123]/3 \d+\.\d img/s  ETA 0:00:\d\d', row) for row in screen.bars)
    assert max(map(len, screen.bars)) <= WIDTH
    # a hidden cursor would stay hidden if the run were killed
    assert set(re.findall(r'\x1b\[\?25l(.{0,6})', output)) == {'\x1b[?25h'}


@needs_data
def test_testing(trained):
    work_dir, _ = trained
    flags = ['--work-dir', work_dir.parent / 't', '--cfg-options', 'log_level=DEBUG']
    status, output = on_a_terminal('test.py', TINY, work_dir / 'epoch_2.pth', *flags)
    assert status == 0, output
    screen = Screen()
    screen.feed(output)
    assert_lines_are_whole_and_no_bar_stays(screen, work_dir.parent / 't')
    assert any(re.fullmatch(r'test +[━╸╺]+ +3/3 \d+\.\d img/s  ETA 0:00:00', row) for row in screen.bars)


@needs_data
def test_crash_leaves_traceback_and_terminal_whole(tmp_path):
    """A training that counts iterations, and fails in its first validation."""
    config = tmp_path / 'crash.py'
    (tmp_path / 'cut').mkdir()
    for image in (data_root() / 'mpii-sample' / 'images').iterdir():
        content = image.read_bytes()
        (tmp_path / 'cut' / image.name).write_bytes(content[: len(content) // 2])
    config.write_text(
        f"_base_ = ['{TINY}']\n"
        'train_cfg = dict(_delete_=True, by_epoch=False, max_iters=4, val_interval=2)\n'
        f"val_dataloader = dict(dataset=dict(data_prefix=dict(img='{tmp_path / 'cut'}/')))\n"
    )
    status, output = on_a_terminal('train.py', config, '--work-dir', tmp_path / 'w')
    assert status == 1
    screen = Screen()
    screen.feed(output)
    assert any(re.match(r'train [━╸╺]+ +2/4 loss 0', row) for row in screen.bars), output[-3000:]
    assert any(row.startswith('Traceback') for row in screen.rows)
    assert re.search(r'BadImageError: .*cut/', ''.join(screen.rows[-20:]))
    assert not any('━' in row for row in screen.rows)
    assert screen.cursor


@needs_data
def test_dumb_terminal_gets_plain_lines(tmp_path):
    flags = ['--work-dir', tmp_path / 'w', '--no-validate', '--cfg-options', 'train_cfg.max_epochs=1']
    status, output = on_a_terminal('train.py', TINY, *flags, term='dumb')
    assert status == 0 and '━━' not in output and 'img/s: ' in output


def test_losses_of_several_networks():
    scalars = {'train/loss_g': 1.0, 'train/loss_d': 2.0, 'train/lr': 3.0}
    buffers = {name: HistoryBuffer([value], [1]) for name, value in scalars.items()}
    assert losses_shown(buffers) == ['loss_g 1', 'loss_d 2']
    buffers['train/loss'] = HistoryBuffer([9.0, 0.123456], [1, 1])
    assert losses_shown(buffers) == ['loss 0.1235']


def test_only_rank_0_draws(monkeypatch):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    hook = ProgressHook()
    runner = SimpleNamespace(rank=1, world_size=2, val_dataloader=[1, 2])  # a bar would need its logger
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, dict(inputs=[1]), [])
    hook.after_val_epoch(runner)
    assert hook._bar is None
    hook.after_run(runner)
