"""Real signals within a block."""

import signal
import threading

import pytest

from posestructs.utils.signals import deferred_signals

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers():
    """All three end as Ctrl+C; those of before are set again afterwards."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize('number', STOPS)
def test_a_block_ends_before_the_signal_is_handled(number):
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        signal.raise_signal(number)
        steps.append('after')
    assert steps == ['after']
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_block_within_another():
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        with deferred_signals():
            signal.raise_signal(signal.SIGTERM)
        steps.append('after')
    assert steps == ['after']


def test_an_error_is_not_replaced_and_handlers_are_restored():
    with pytest.raises(ValueError, match='disk'), deferred_signals():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError('disk')
    assert [signal.getsignal(number) for number in STOPS] == [signal.default_int_handler] * 3


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with deferred_signals():
        signal.raise_signal(signal.SIGHUP)


def test_other_threads_change_nothing():
    found = []

    def work():
        with deferred_signals():
            found.extend(signal.getsignal(number) for number in STOPS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler] * 3
