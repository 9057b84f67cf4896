"""Ctrl-C, SIGTERM and a closed terminal: a command ends soon, says so in a sentence, and leaves no process behind."""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130
SENTENCE = "interrupted: what was finished is kept; the same command goes on from there."
GRACE = 5.0
"""Seconds that a command has to end by itself; then, or at a second Ctrl-C, it is ended where it stands."""

_UNSAID = "ignore:resource_tracker:UserWarning"
"""What the process that tidies up behind killed workers would say about each semaphore that it removes."""

_OFF_THE_BAR = "\n\x1b[?25h"
"""On a terminal: to the next line, with the cursor that a progress bar hides."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_came = threading.Event()
_held = threading.Event()


def heed_signals() -> None:
    """From now on each of the signals raises KeyboardInterrupt in the main thread, and ends the process after `GRACE`.

    One that is ignored already (nohup, a job in the background) stays ignored. A long call into a library cannot delay
    the end, and a KeyboardInterrupt that a library swallows does not prevent it: a thread is told by the system itself.
    """
    known = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{known},{_UNSAID}" if known else _UNSAID
    mine, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)
    sys.unraisablehook = _strike_again
    threading.Thread(target=_end_after_grace, args=(mine,), daemon=True).start()


def was_interrupted() -> bool:
    """Whether one of the signals has come."""
    return _came.is_set()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold the signals back during the block, and for ever in processes that start in it; then they take effect."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    _held.set()
    try:
        yield
    finally:
        _held.clear()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if _came.is_set():
        raise KeyboardInterrupt


def end(code: int) -> None:
    """End this process with an exit code; after an interruption at once, and all processes that it started with it."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if code != INTERRUPTED:
        sys.exit(code)
    _kill_children()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(INTERRUPTED)


def _raise(number: int, frame: FrameType | None) -> None:
    _came.set()
    if not _held.is_set():
        raise KeyboardInterrupt


def _strike_again(lost: "sys.UnraisableHookArgs") -> None:
    """A KeyboardInterrupt that came while an object was taken down is lost; a second signal ends the process."""
    if lost.exc_type is KeyboardInterrupt:
        _held.set()  # raised in here it would be lost as well
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        sys.__unraisablehook__(lost)


def _end_after_grace(told: int) -> None:
    os.read(told, 1)
    _came.set()
    select.select([told], [], [], GRACE)
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"{_OFF_THE_BAR if sys.stderr.isatty() else ''}{SENTENCE}\n".encode())
    _kill_children()
    os._exit(INTERRUPTED)


def _kill_children() -> None:
    """Kill worker processes that are left; multiprocessing knows them if it was ever loaded."""
    multiprocessing = sys.modules.get("multiprocessing")
    for child in multiprocessing.active_children() if multiprocessing else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
