"""Progress on stderr: a bar with rate and time left on a terminal, else a line every 5 %, and never silent for 10 s."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

SILENCE = 10.0
STEP = 0.05


class Progress(Protocol):
    """What a stage sees: call `advance(n)` whenever n more units are done; a word says how it goes."""

    def advance(self, n: int = 1, word: str = "") -> None: ...


class _Silent:
    def advance(self, n: int = 1, word: str = "") -> None:
        """Count nothing."""


class _Lines:
    """Plain lines for log files, with a heartbeat."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = self.said = 0
        self.word = ""
        self.start = self.spoke = time.monotonic()
        self.ended = threading.Event()
        self.guard = threading.Lock()
        self.heart = threading.Thread(target=self._beat, daemon=True)

    def advance(self, n: int = 1, word: str = "") -> None:
        with self.guard:
            self.done += n
            self.word = word
            if self.done - self.said >= STEP * self.total or self.done == self.total:
                self._say()

    def _beat(self) -> None:
        while not self.ended.wait(1.0):
            with self.guard:
                if time.monotonic() - self.spoke >= SILENCE:
                    self._say()

    def _say(self) -> None:
        self.said, self.spoke = self.done, time.monotonic()
        seconds = self.spoke - self.start
        rate = self.done / seconds if seconds > 0 else 0.0
        left = f", {(self.total - self.done) / rate:.0f} s left" if rate and self.done < self.total else ""
        share = 100 * self.done / self.total if self.total else 100
        line = f"{self.what}: {self.done}/{self.total} {self.unit} ({share:.0f} %), {rate:.3g}/s{left}"
        line += f", {self.word}" if self.word else ""
        print(line, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def progress(what: str, total: int, unit: str = "fields", quiet: bool = False) -> Iterator[Progress]:
    """Show how far a stage is.

    Parameters
    ----------
    what : str
        The stage, e.g. "extract train".
    total : int
        Units to do.
    unit : str
        What is counted.
    quiet : bool
        Show nothing.
    """
    if quiet or total == 0:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(what, total, unit) as bar:
            yield bar
    else:
        lines = _Lines(what, total, unit)
        lines.heart.start()
        try:
            yield lines
        finally:
            lines.ended.set()
            lines.heart.join()


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + " {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as rich:
        yield _RichTask(rich, rich.add_task(what, total=total, rate=""))


class _RichTask:
    def __init__(self, rich, task) -> None:
        self.rich, self.task = rich, task

    def advance(self, n: int = 1, word: str = "") -> None:
        self.rich.advance(self.task, n)
        speed = self.rich.tasks[self.task].speed
        told = (f"{speed:.3g}/s" if speed else "", word)
        self.rich.update(self.task, rate=" ".join(part for part in told if part))
