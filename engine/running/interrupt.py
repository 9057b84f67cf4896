"""Ctrl-C, SIGTERM and a closed terminal: the command ends soon, with a message and all its processes."""

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130
SENTENCE = "interrupted: what was finished is kept; the same command goes on from there."
GRACE = 5.0
"""Seconds that a command has to end by itself; after that, or at a second Ctrl-C, it is killed."""

_UNSAID = "ignore:resource_tracker:UserWarning"
"""Silences the warning about each semaphore of a killed worker that multiprocessing cleans up."""

_OFF_THE_BAR = "\n\x1b[?25h"
"""On a terminal: to the next line, with the cursor that a progress bar hides."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Windows has no SIGHUP."""

_came = threading.Event()
_held = threading.Event()


def heed_signals() -> None:
    """From now on each of the signals raises KeyboardInterrupt in the main thread, and ends the process after `GRACE`.

    A signal that is ignored already (nohup, a background job) stays ignored. A thread waits for the signals too:
    neither a long library call nor a library that swallows KeyboardInterrupt can prevent the end.
    """
    known = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{known},{_UNSAID}" if known else _UNSAID
    mine, theirs = socket.socketpair()  # not a pipe: on Windows select works on sockets only
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)
    sys.unraisablehook = _strike_again
    threading.Thread(target=_end_after_grace, args=(mine,), daemon=True).start()


def was_interrupted() -> bool:
    """Whether one of the signals has arrived."""
    return _came.is_set()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay the signals until the end of the block; processes that start in it never get them.

    On Windows, where signals cannot be blocked, such processes do get them.
    """
    can_block = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if can_block else ()
    _held.set()
    try:
        yield
    finally:
        _held.clear()
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if _came.is_set():
        raise KeyboardInterrupt


def end(code: int) -> None:
    """End this process with an exit code, and all processes that it started.

    At once: Python would take down each object and wait for idle workers, which takes a second. Exit handlers run, but
    not after an interruption.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _kill_children()  # first: multiprocessing's exit handler waits for those that live
    if code != INTERRUPTED:
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        if code != INTERRUPTED:
            sys.exit(code)  # Python tries again, and says what could not be written
    os._exit(code)


def _raise(number: int, frame: FrameType | None) -> None:
    _came.set()
    if not _held.is_set():
        raise KeyboardInterrupt


def _strike_again(lost: "sys.UnraisableHookArgs") -> None:
    """Python drops a KeyboardInterrupt that is raised in a destructor: send a second signal, which ends the process."""
    if lost.exc_type is KeyboardInterrupt:
        _held.set()  # raised in here it would be lost as well
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        sys.__unraisablehook__(lost)


def kill(process: int) -> None:
    """End a process at once, without cleaning up."""
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows SIGTERM does the same


def _end_after_grace(wakeup: socket.socket) -> None:
    wakeup.recv(1)
    _came.set()
    select.select([wakeup], [], [], GRACE)
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"{_OFF_THE_BAR if sys.stderr.isatty() else ''}{SENTENCE}\n".encode())
    _kill_children()
    os._exit(INTERRUPTED)


def _kill_children() -> None:
    """Kill worker processes that are left; multiprocessing knows them if it was ever loaded."""
    multiprocessing = sys.modules.get("multiprocessing")
    for child in multiprocessing.active_children() if multiprocessing else ():
        with contextlib.suppress(ProcessLookupError):
            kill(child.pid)
