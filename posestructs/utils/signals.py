"""Steps that no signal divides."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name)]


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer SIGINT, SIGTERM and SIGHUP to the end of a ``with`` block, whose steps are then all done or none.

    The first signal that came is raised again after the block, if that ends without an error. Ignored signals stay
    ignored. Other threads than the main one are never interrupted by signals, so that nothing is changed there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    # None: a handler that was not set from Python, which could not be restored
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    came: list[int] = []
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])
