"""Ctrl-C that cannot get lost: a flag beside the exception, for code that swallows exceptions

An exception raised inside a callback of a compiler or of the garbage collector is printed and ignored
(``Exception ignored in ...``), so an interrupt that lands there would change nothing. `watch` also sets a
flag, and `check` raises where work is about to begin or to be told.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_pressed = threading.Event()


@contextlib.contextmanager
def watch() -> Iterator[None]:
    """Note every SIGINT while the context lasts, and raise KeyboardInterrupt as Python does.

    Signals reach the main thread alone: elsewhere, and where somebody else handles them, nothing changes.
    """
    _pressed.clear()
    ours = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _note(_number: int, _frame: FrameType | None) -> None:
    _pressed.set()
    raise KeyboardInterrupt


def pressed() -> bool:
    """Return whether an interrupt has come since `watch`."""
    return _pressed.is_set()


def check() -> None:
    """Raise the interrupt that came and got lost.

    Raises
    ------
    KeyboardInterrupt
        Where one came since `watch`.
    """
    if _pressed.is_set():
        raise KeyboardInterrupt
