"""One command that is struck: started, hit at a drawn moment, looked at, run again, compared with one undisturbed."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.fault_starter import MARK

KEPT = "interrupted: what was finished is kept; the same command goes on from there."
PATIENCE = 120.0  # seconds for anything to end
GONE_WITHIN = 10.0  # seconds for worker processes to be gone after their command
OURS = ".*lock"  # files that hold nothing
_ROOT = Path(__file__).resolve().parents[1]


class Starter:
    """The process that forks commands; see benchmarks/fault_starter.py."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.fault_starter"]
        self.process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, arguments: Sequence[str], log: Path, mark: str) -> int:
        """Begin a command in a process group of its own; gives the process."""
        return self._ask({"arguments": list(arguments), "log": str(log), "mark": mark})

    def wait(self, process: int) -> int:
        """The exit code of a process, negative if a signal ended it."""
        return self._ask({"wait": process})

    def run(self, arguments: Sequence[str], log: Path) -> int:
        """Start a command and wait for its end."""
        return self.wait(self.start(arguments, log, "undisturbed"))

    def _ask(self, wish: dict) -> int:
        print(json.dumps(wish), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@dataclass
class Stage:
    """A command between two states of the run folder.

    Attributes
    ----------
    name : str
    arguments : callable
        From run folder and number of workers to a command line.
    other : tuple of str
        Options that make it another result.
    before : Path
        The run folder as the command finds it.
    after : Path
        As it leaves it, undisturbed, whatever the number of workers.
    seconds : float
        How long one worker took when it was last seen to end undisturbed.
    """

    name: str
    arguments: Callable[[Path, int], list[str]]
    other: tuple[str, ...]
    before: Path
    after: Path
    seconds: float


@dataclass
class Round:
    """One fault: where, what was seen, and what was wrong."""

    starter: Starter
    stage: Stage
    run: Path
    chance: np.random.Generator
    n_workers: int = 1
    seen: str = ""
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mark = f"{os.getpid()}-{self.run.parent.name}"

    def check(self, good: bool, complaint: str) -> None:
        """Note a complaint if something is not good."""
        if not good:
            self.complaints.append(complaint)

    @property
    def log(self) -> Path:
        """Where the struck command speaks to."""
        return self.run.parent / "struck.log"

    def said(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace") if self.log.is_file() else ""

    def start(self, *options: str, workers: int | None = None) -> int:
        """Start the command; without a number of workers it has two in a quarter of the rounds, else one."""
        self.n_workers = workers or int(self.chance.choice([1, 2], p=[0.75, 0.25]))
        return self.starter.start([*self.stage.arguments(self.run, self.n_workers), *options], self.log, self.mark)

    def moment(self, process: int) -> bool:
        """Wait for a drawn moment of the command; False if it ended before.

        Half of the moments are drawn evenly over its undisturbed time, three tenths are just after a drawn one of the
        files that it writes has appeared, and two tenths are in its last tenth; with two workers all are after a file.
        """
        kind = self.chance.choice(["time", "file", "end"], p=[0.5, 0.3, 0.2]) if self.n_workers == 1 else "file"
        begun = time.monotonic()
        if kind == "file":
            until = begun + PATIENCE
            new = sorted(files(self.stage.after).keys() - files(self.stage.before).keys())
            wanted = self.run / (self.chance.choice(new) if new else "config.json")
        else:
            until = begun + self.stage.seconds * self.chance.uniform(0.9 if kind == "end" else 0.0, 1.0)
            wanted = self.run / "nothing"
        before = _stamp(wanted)
        while (running := alive(process)) and time.monotonic() < until and _stamp(wanted) == before:
            time.sleep(0.002)
        if not running and self.n_workers == 1:
            self.stage.seconds = time.monotonic() - begun
        return running

    def look_after(self, process: int, allowed: set[int], sentences: Sequence[str]) -> int:
        """Wait for the end; check exit code, sentence, that there is no traceback and that no worker is left."""
        code = self.starter.wait(process)
        said = self.said()
        self.check(code in allowed, f"exit code {code}, expected {sorted(allowed)}")
        self.check("Traceback" not in said, "a traceback")
        if code not in (0, -signal.SIGKILL):
            self.check(any(sentence in said for sentence in sentences), f"said {said.strip()[-200:]!r}")
        return code

    def nobody_left(self) -> None:
        """Check that all worker processes end."""
        until = time.monotonic() + GONE_WITHIN
        while (left := marked(self.mark)) and time.monotonic() < until:
            time.sleep(0.05)
        self.check(not left, f"{len(left)} processes left behind")

    def again(self) -> None:
        """Run the command undisturbed: it must complete, and leave what an undisturbed one leaves, byte by byte."""
        log = self.run.parent / "again.log"
        code = self.starter.run(self.stage.arguments(self.run, 1), log)
        self.check(code == 0, f"the next run ended with {code}: {log.read_text()[-200:]!r}")
        self.compare()

    def compare(self) -> None:
        """Check the run folder against the undisturbed one."""
        found, expected = files(self.run), files(self.stage.after)
        self.check(found.keys() <= expected.keys(), f"too many: {sorted(found.keys() - expected.keys())[:3]}")
        self.check(expected.keys() <= found.keys(), f"missing: {sorted(expected.keys() - found.keys())[:3]}")
        differ = [name for name in found if name in expected and found[name] != expected[name]]
        self.check(not differ, f"other bytes: {differ[:3]}")


def files(run: Path) -> dict[str, bytes]:
    """All files of a run folder by name, those included that a killed command left."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and not path.match(OURS)
    }


def alive(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def marked(mark: str) -> list[int]:
    """Worker processes of a round, by the word in their environment."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def workers(mark: str) -> list[int]:
    """Those of them that do units of work."""
    return [pid for pid in marked(mark) if b"popen_loky" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _stamp(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something on a folder (needs root)."""
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(stage: Stage, run: Path) -> None:
    """Give a round the run folder as the command finds it."""
    shutil.copytree(stage.before, run, dirs_exist_ok=True)
