"""Training log for the screen: a short line an interval and each metric once; the log file keeps everything.

mmengine writes the same records to the screen and to the log file. A filter and a formatter of the screen's handlers
leave out what only a file needs (environment, config, list of hooks) and shorten the lines of training::

    Epoch(train) [1][50/100]  loss: 0.01234  PCK: 61.2  img/s: 32.1  eta: 0:12:33
        pose.loss_real: 0.6931  pose.loss_fake: 0.6931  loss_adv_pose: -0.04398

Metrics that print no table of their own get one in the place of mmengine's long line.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from mmengine.logging import MMLogger
from mmengine.logging.logger import MMFormatter
from mmengine.runner import Runner

from posestructs.evaluation.tables import format_table

_FILE_ONLY = (
    'Config:\n',
    'Exp name: ',
    'Hooks will be executed in the following order',
    'Distributed training is not',
    'paramwise_options -- ',
    'Load checkpoint from ',  # mmengine has printed "Loads checkpoint by ... from path: ..." before
)
# mmengine's warnings of its own calls, which no user can change
_OF_MMENGINE = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class DumpResults',
)
_ENVIRONMENT = '\nSystem environment:'
_TRAIN = re.compile(r'((?:Epoch|Iter)\(train\)\s*(?:\[[^\]]*\])+)\s(.*)', re.DOTALL)
_EVALUATION = re.compile(r'(?:Epoch|Iter)\((val|test)\)\s*(?:\[[^\]]*\])+\s(.*)', re.DOTALL)
_PAIR = re.compile(r'(\S+(?: \S+)*?): (\d+ days?, [\d:]+|\S+)')  # two blanks apart; names like "coco/AP .5" hold one
_TIMES = ('eta', 'time', 'data_time', 'memory')
_DISCRIMINATOR = re.compile(r'.+\.loss_(real|fake)|loss_adv_.+')


class ScreenRunner(Runner):
    """mmengine's runner with a short log on the screen; with ``log_level='DEBUG'`` the screen gets everything."""

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """Build mmengine's logger, and shorten what its handlers of the screen write."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        if logging._checkLevel(log_level) > logging.DEBUG:
            shorten_screen(logger)
        return logger


def shorten_screen(logger: MMLogger) -> None:
    """Shorten what a logger writes to the screen.

    Args:
        logger: Its stream handlers are changed; those of files are not.
    """
    for handler in logger.handlers:
        is_screen = isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
        if is_screen and not any(isinstance(one, ScreenFilter) for one in handler.filters):
            handler.addFilter(ScreenFilter(logger.log_file))
            handler.setFormatter(ScreenFormatter(color=True, datefmt='%H:%M:%S'))


class ScreenFilter(logging.Filter):
    """Choose what the screen shows of a record, as its attribute ``screen_text``.

    Args:
        log_file: File that has all of it.
    """

    def __init__(self, log_file: str | None = None) -> None:
        super().__init__()
        self._log_file = log_file
        self._rows: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out a record that is only for the file."""
        text = record.getMessage()
        if record.levelno == logging.INFO:
            text = self._screen_text(text)
        elif text.startswith(_OF_MMENGINE):
            text = ''
        record.screen_text = text
        return bool(text)

    def _screen_text(self, text: str) -> str:
        if _ENVIRONMENT in text:
            return f'environment, config and all values: {self._log_file}' if self._log_file else ''
        if text.startswith(_FILE_ONLY):
            return ''
        if found := _TRAIN.fullmatch(text):
            return training_lines(found[1], dict(_PAIR.findall(found[2])))
        if found := _EVALUATION.fullmatch(text):
            values = dict(_PAIR.findall(found[2]))
            # a test without a terminal shows how far it is; its last line has the metrics, and no remaining time
            return text if found[1] == 'test' and 'eta' in values else self._other_metrics(values)
        self._rows |= set(re.findall(r'^\| +([^|]*\S) +\|', text, re.MULTILINE))
        return text

    def _other_metrics(self, values: dict[str, str]) -> str:
        """Table of the metrics without one."""
        rows = [
            [name, f'{float(value):.4g}']
            for name, value in values.items()
            if name not in _TIMES and not any(name == row or name.startswith(f'{row}/') for row in self._rows)
        ]
        self._rows = set()
        return f'metrics\n{format_table(["", "value"], rows)}' if rows else ''


class ScreenFormatter(MMFormatter):
    """Write the time and the text of information; warnings and errors as mmengine does."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record that has passed :class:`ScreenFilter`."""
        if record.levelno != logging.INFO:
            return super().format(record)
        return f'{self.formatTime(record, self.datefmt)} {record.screen_text}'


def training_lines(header: str, values: dict[str, str]) -> str:
    """Shorten a line of training.

    Args:
        header: Epoch and iteration.
        values: Logged values by name.

    Returns:
        Loss, PCK of the batches in percent, images per second and remaining time; the losses of discriminators, if
        there are any, in a second line.
    """
    losses = [name for name in values if name.startswith('loss') and not _DISCRIMINATOR.fullmatch(name)]
    shown = {name: f'{float(values[name]):.4g}' for name in (['loss'] if 'loss' in values else losses)}
    if 'acc_pose' in values:
        shown['PCK'] = f'{100 * float(values["acc_pose"]):.1f}'
    if 'images_per_second' in values:
        shown['img/s'] = f'{float(values["images_per_second"]):.1f}'
    if 'eta' in values:
        shown['eta'] = values['eta']
    discriminators = {name: f'{float(values[name]):.4g}' for name in values if _DISCRIMINATOR.fullmatch(name)}
    lines = [_line(f'{header}  ', shown)] + ([_line('    ', discriminators)] if discriminators else [])
    return '\n'.join(lines)


def _line(start: str, values: dict[str, str]) -> str:
    return start + '  '.join(f'{name}: {value}' for name, value in values.items())
