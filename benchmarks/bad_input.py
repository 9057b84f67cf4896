"""Bad input, counted: a corpus and random mutations through readers and commands, each in a child with limits.

    python -m benchmarks.bad_input [--fuzz N] [--seed S] [--only PART ...]

Prints a table of parts and outcomes; what crashes, hangs, floods the memory, raises anything but our own errors or says
something else than expected is BAD, is listed below the table, and makes the exit code 1.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from benchmarks.bad_input_cases import (
    READ,
    Case,
    command_cases,
    decoder_seeds,
    from_path,
    image_cases,
    model_cases,
    mutated,
    run_cases,
    runs,
    table_cases,
    zip_and_table_seeds,
)
from engine.errors import HpaError
from features.reading.decoding import decode
from features.reading.image_file import UnreadableImageError

MEMORY = 3 * 2**30  # bytes of addresses beyond what is taken at the start
SECONDS = 120  # for a case
BATCH = 200
PARTS = ("images", "tables", "decoders", "zips", "models", "runs", "commands")
SENTENCE, BAD = "sentence", "BAD"


@dataclass
class Part:
    """What came of the cases of one part."""

    name: str
    outcomes: Counter = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    peak: int = 0
    seconds: float = 0.0

    def row(self) -> str:
        """Of the table."""
        counts = [self.outcomes[outcome] for outcome in (SENTENCE, READ, BAD)]
        cells = [self.name, sum(counts), *counts, f"{self.peak >> 20} MB", f"{self.seconds:.0f} s"]
        return f"| {' | '.join(map(str, cells))} |"


def run_part(name: str, cases: Iterator[Case]) -> Part:
    """Run cases in children, batch after batch; after a crash the next child goes on behind it."""
    part, begun, todo = Part(name), time.monotonic(), list(cases)
    while todo:
        batch = todo[:BATCH]
        told, ended, peak = in_child(batch)
        part.peak = max(part.peak, peak)
        for (case, _), (outcome, words) in zip(batch, told, strict=False):
            part.outcomes[outcome] += 1
            part.bad += [f"{case}: {words}"] if outcome == BAD else []
        if len(told) < len(batch):
            part.outcomes[BAD] += 1
            part.bad.append(f"{batch[len(told)][0]}: {ended}")
        todo = todo[len(told) + (len(told) < len(batch)) :]
    part.seconds = time.monotonic() - begun
    return part


def in_child(batch: list[Case]) -> tuple[list[tuple[str, str]], str, int]:
    """Outcome and words of each case as far as the child came, how it ended, and its peak memory in bytes."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _work(batch, write)
    os.close(write)
    with os.fdopen(read) as file:
        told = [tuple(json.loads(line)) for line in file if line.endswith("\n")]
    _, status, used = os.wait4(child, 0)
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    ended = f"took over {SECONDS} s" if killed == signal.SIGALRM else f"ended by signal {killed}"
    return told, ended, used.ru_maxrss * 1024


def _work(batch: list[Case], write: int) -> None:
    """The child: one line a case. What C libraries say goes nowhere."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    for _, act in batch:
        signal.alarm(SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            told = _outcome(act, Path(folder))
        os.write(write, (json.dumps(told) + "\n").encode())
    os._exit(0)


def _outcome(act: Callable[[Path], str], folder: Path) -> tuple[str, str]:
    try:
        words = act(folder)
    except (HpaError, UnreadableImageError) as error:
        words = str(error)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return BAD, f"{type(error).__name__} {str(error)[:200]!r} in {where.name}"
    if words == READ:
        return READ, ""
    good = words.isprintable() and words.endswith(".") and len(words) < 1000
    return (SENTENCE, words) if good else (BAD, f"not a sentence: {words[:300]!r}")


def main() -> int:
    """Run the parts, print the table, and say what was bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fuzz", type=int, default=2000, help="mutations of each part (a tenth of it for whole runs)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--folder", type=Path, help="where the small run is made, and kept for the next time")
    asked = parser.parse_args()
    n, seed = asked.fuzz, asked.seed
    with tempfile.TemporaryDirectory() as folder:
        root = asked.folder or Path(folder)
        data, run = root / "data", root / "run"
        if {"models", "runs", "commands"} & set(asked.only) and not run.is_dir():
            built = in_child([("run", lambda _: (runs.small_run(root), READ)[-1])])
            assert built[0] == [(READ, "")], built
        parts = {
            "images": ("images, zips and names of files", image_cases),
            "tables": ("train.csv, groups.csv, sample_submission.csv", table_cases),
            "decoders": ("mutated images", lambda: mutated(decoder_seeds(), n, seed, decode, "image")),
            "zips": ("mutated zips and tables", lambda: mutated(zip_and_table_seeds(), n, seed, from_path, "zip")),
            "models": ("mutated models", lambda: model_cases(run, n, seed)),
            "runs": ("run folders with a spoilt file", lambda: run_cases(data, run, -(-n // 10), seed)),
            "commands": ("commands (exit code 4; extract 3)", lambda: command_cases(data, run)),
        }
        print(
            "| part | cases | sentence | used | BAD | peak memory | time |\n| --- | --: | --: | --: | --: | --: | --: |"
        )
        bad = []
        for name, (title, cases) in parts.items():
            if name in asked.only:
                part = run_part(title, cases())
                print(part.row(), flush=True)
                bad += part.bad
    print("\n".join(["", *bad]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
