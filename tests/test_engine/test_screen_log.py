"""What the screen shows of a run's log, and that the file keeps all of it."""

import io
import logging

import pytest
from mmengine import fileio
from mmengine.evaluator import DumpResults
from mmengine.logging import MMLogger
from mmpose.evaluation import PCKAccuracy

from posestructs.engine.screen_log import ScreenFilter, shorten_screen, training_lines
from tests.helpers.tools import forget_runs

TRAIN = (
    'Epoch(train)  [ 9][ 50/300]  generator.lr: 1.000000e-05 pose.lr: 2.000000e-06  eta: 1 day, 2:03:04  '
    'time: 0.170355  data_time: 0.045343  memory: 812  pose.loss_real: 0.709723  pose.loss_fake: 0.713125  '
    'loss: 25.072779  loss_kpt: 21.979778  acc_pose: 0.612500  loss_adv_pose: -0.052012  pose.score_real: 0.499808  '
    'images_per_second: 23.480352'
)
ENVIRONMENT = (
    '\n------------\nSystem environment:\n    sys.platform: linux\n\nRuntime environment:\n    seed: 3\n-----\n'
)
TABLE = (
    'TorsoPCK in percent\n|              | head | mean |\n| ------------ | ---: | ---: |\n'
    '| TorsoPCK@0.2 |  1.0 |  2.0 |'
)


@pytest.fixture
def log(tmp_path):
    """A logger as of a run: what to call, what the screen showed and what the file holds."""
    forget_runs(MMLogger)
    logger = MMLogger.get_instance('run', log_file=str(tmp_path / 'run.log'))
    screen = io.StringIO()
    logger.handlers[0].setStream(screen)
    shorten_screen(logger)
    return logger, screen, tmp_path / 'run.log'


def test_a_line_of_training(log):
    logger, screen, file = log
    logger.info(TRAIN)
    first, second = screen.getvalue().splitlines()
    assert first[8:] == ' Epoch(train)  [ 9][ 50/300]  loss: 25.07  PCK: 61.3  img/s: 23.5  eta: 1 day, 2:03:04'
    assert second == '    pose.loss_real: 0.7097  pose.loss_fake: 0.7131  loss_adv_pose: -0.05201'
    assert TRAIN in file.read_text()


def test_a_line_by_iterations_without_total():
    shown = training_lines('Iter(train) [ 10/100]', dict(loss_kpt='0.5', loss_occlusion='0.25', lr='1e-3'))
    assert shown == 'Iter(train) [ 10/100]  loss_kpt: 0.5  loss_occlusion: 0.25'


def test_what_is_for_the_file_only(log):
    logger, screen, file = log
    texts = [
        ENVIRONMENT,
        'Config:\nmodel = dict()\n',
        'Exp name: x_2026',
        'Epoch(val) [1][50/70]    eta: 0:00:00  time: 0.04  ',
    ]
    texts += [
        'Load checkpoint from epoch_1.pth',
        'Hooks will be executed in the following order:\nbefore_run:\n',
        'Saving checkpoint at 1 epochs',
    ]
    for text in texts:
        logger.info(text)
    assert [line[9:] for line in screen.getvalue().splitlines()] == [
        f'environment, config and all values: {file}',
        'Saving checkpoint at 1 epochs',
    ]
    assert all(text in file.read_text() for text in texts)


def test_warnings_that_mmengine_gives_of_itself(log):
    logger, screen, file = log
    fileio.FileClient(backend='disk')
    fileio.file_client.HardDiskBackend()  # the client keeps one of another test
    assert screen.getvalue() == '' and {'"FileClient"', '"HardDiskBackend"'} <= set(file.read_text().split())
    logger.warning('"FileClient" of yours')
    assert '"FileClient" of yours' in screen.getvalue()


def test_each_metric_is_shown_once(log):
    logger, screen, _ = log
    result = 'Epoch(val) [1][4/4]    TorsoPCK@0.2: 2.000000  TorsoPCK@0.2/head: 1.000000  TorsoPCK@0.25: 3.000000  '
    for _ in range(2):  # the second validation as the first
        logger.info(TABLE)
        logger.info(result + 'coco/AP: 0.512345  coco/AP .5: 0.75  EPE: 12.345678  data_time: 0.01  time: 0.04')
    shown = screen.getvalue()
    assert shown.count('| TorsoPCK@0.2 |') == 2 and 'Epoch(val)' not in shown and 'time' not in shown
    others = '| TorsoPCK@0.25 |      3 |\n| coco/AP       | 0.5123 |\n'
    others += '| coco/AP .5    |   0.75 |\n| EPE           |  12.35 |'
    assert shown.count(others) == 2
    logger.info(TABLE)
    logger.info(result.replace('TorsoPCK@0.25: 3.000000  ', ''))
    assert screen.getvalue()[len(shown) :].strip().endswith(TABLE.splitlines()[-1])


def test_the_end_of_a_test(log):
    logger, screen, file = log
    batches = 'Epoch(test) [50/70]    eta: 0:00:07  time: 0.04  data_time: 0.01  '
    result = 'Epoch(test) [70/70]    TorsoPCK@0.2: 2.000000  TorsoPCK@0.2/head: 1.000000  EPE: 12.5  time: 0.04'
    for text in (batches, TABLE, result):
        logger.info(text)
    shown = screen.getvalue()
    assert batches in shown and shown.count('Epoch(test)') == 1
    assert shown.count('| TorsoPCK@0.2') == 1 and '| EPE |  12.5 |' in shown
    assert result in file.read_text()


def test_the_metric_of_a_dump_is_not_warned_of(log):
    _, screen, file = log
    DumpResults(out_file_path='d.pkl')
    warning = 'The prefix is not set in metric class'
    assert screen.getvalue() == '' and f'{warning} DumpResults' in file.read_text()
    PCKAccuracy()
    assert f'{warning} PCKAccuracy' in screen.getvalue()


def test_warnings_stay_as_they_are(log):
    logger, screen, _ = log
    logger.warning('Config:\nis odd')
    assert 'WARNING' in screen.getvalue() and 'Config:\nis odd' in screen.getvalue()


def test_a_second_call_changes_nothing(log):
    logger, _, _ = log
    shorten_screen(logger)
    filters = [[type(one) for one in handler.filters].count(ScreenFilter) for handler in logger.handlers]
    assert filters == [1, 0] and isinstance(logger.handlers[1], logging.FileHandler)
