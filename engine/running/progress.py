"""Progress on stderr: rich's bar on a terminal; elsewhere a line every 5 % and every minute, for log files."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

SILENCE = 60.0
"""Seconds between lines while nothing is finished."""
STEP = 0.05


class Progress(Protocol):
    """Passed to a step: it calls `advance(n)` when n more items are done; the word is shown beside the count."""

    def advance(self, n: int = 1, word: str = "") -> None: ...


class Listener(Protocol):
    """Called with the number of items of a step that are done, and with the number of all."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


_listener: ContextVar[Listener | None] = ContextVar("who hears of the progress instead of the terminal", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """In this thread, tell a listener of all progress instead of showing it on the terminal."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress(what: str, total: int, unit: str = "fields", quiet: bool = False) -> Iterator[Progress]:
    """Show how far a step is.

    Parameters
    ----------
    what : str
        The step, e.g. "extract train".
    total : int
        Items to do.
    unit : str
        What is counted.
    quiet : bool
        Show nothing.
    """
    if (listener := _listener.get()) is not None:
        listener(what, 0, total)
        yield _Heard(listener, what, total)
    elif quiet or total == 0:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(what, total, unit) as bar:
            yield bar
    else:
        lines = _Lines(what, total, unit)
        heart = threading.Thread(target=lines.beat, daemon=True)
        heart.start()
        try:
            yield lines
        finally:
            lines.ended.set()
            heart.join()


class _Heard:
    def __init__(self, listener: Listener, what: str, total: int) -> None:
        self.listener, self.what, self.total, self.done = listener, what, total, 0

    def advance(self, n: int = 1, word: str = "") -> None:
        self.done += n
        self.listener(self.what, self.done, self.total)


class _Silent:
    def advance(self, n: int = 1, word: str = "") -> None:
        """Count nothing."""


class _Lines:
    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.said = 0
        self.word = ""
        self.begun = self.first = time.monotonic()
        self.done_first = 0
        self.ended = threading.Event()

    def advance(self, n: int = 1, word: str = "") -> None:
        if not self.done:
            self.first, self.done_first = time.monotonic(), n
        self.done += n
        self.word = word
        if self.done - self.said >= STEP * self.total or self.done == self.total:
            self.say()

    def beat(self) -> None:
        """Write a line a minute until the step has ended."""
        while not self.ended.wait(SILENCE):
            self.say()

    def say(self) -> None:
        self.said = self.done
        rate = self._rate()
        parts = [
            f"{self.what}: {self.done}/{self.total} {self.unit} ({100 * self.done / self.total:.0f} %)",
            f"{rate:.3g}/s",
        ]
        if rate > 0 and self.done < self.total:
            parts.append(f"{hours_minutes((self.total - self.done) / rate)} left")
        sys.stderr.write(", ".join([*parts, *filter(None, [self.word])]) + "\n")  # whole, whichever thread writes
        sys.stderr.flush()

    def _rate(self) -> float:
        """Items a second since the first ones, which were done before, or waited for something that all need."""
        since, items = self.first, self.done - self.done_first
        if not items:
            since, items = self.begun, self.done
        return items / max(time.monotonic() - since, 1e-9)


def hours_minutes(seconds: float) -> str:
    """A time as h:mm, rounded up to whole minutes: 61 s are "0:02"."""
    hours, minutes = divmod(-int(-seconds // 60), 60)
    return f"{hours}:{minutes:02d}"


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + " {task.fields[rate]} {task.fields[word]}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as rich:
        yield _RichTask(rich, rich.add_task(what, total=total, rate="", word=""))


class _RichTask:
    def __init__(self, rich, task) -> None:
        self.rich, self.task = rich, task

    def advance(self, n: int = 1, word: str = "") -> None:
        speed = self.rich.tasks[self.task].speed
        self.rich.update(self.task, advance=n, rate=f"{speed:.3g}/s" if speed else "", word=word)
