"""Strikes the commands as machines and people do: kills, Ctrl-C, full and read-only disks, two at once.

    python -m benchmarks.faults --times 3 --seed 0 [--only "Ctrl-C"] [--command fit] [--keep DIR]

Every round begins with the run folder as the command finds it, strikes, looks (exit code, one sentence and no
traceback, no process left behind), runs the command again and compares all files with those of an undisturbed run. It
prints the table of docs/reliability.md, and ends with 1 if anything was not as it should be. Needs Linux, and root for
the disks.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.fault_rounds import KEPT, Round, Stage, Starter, alive, fill, mounted, workers

LONG, SHORT = ("extract", "fit"), ("importances", "report", "submit")
_PAGE = 4096


def kill(round_: Round) -> None:
    """SIGKILL to the command alone: its workers are orphans, and the next run starts at once."""
    process = round_.start()
    in_time = round_.moment(process)
    os.kill(process, signal.SIGKILL)
    code = round_.look_after(process, {-signal.SIGKILL, 0}, ())
    round_.seen = "killed" if in_time and code else "had ended"
    round_.again()
    round_.nobody_left()


def terminate(round_: Round) -> None:
    """SIGTERM to the command."""
    _interrupted(round_, lambda process: os.kill(process, signal.SIGTERM))


def ctrl_c(round_: Round) -> None:
    """SIGINT to the process group, as a terminal sends it."""
    _interrupted(round_, lambda process: os.killpg(process, signal.SIGINT))


def _interrupted(round_: Round, strike: Callable[[int], None]) -> None:
    process = round_.start()
    round_.moment(process)
    strike(process)
    code = round_.look_after(process, {130, 0}, (KEPT,))
    round_.seen = "130, message" if code else "had ended"
    round_.nobody_left()
    round_.again()


def kill_worker(round_: Round) -> None:
    """SIGKILL to one worker process, as a system short of memory sends it."""
    process = round_.start(workers=2)
    while alive(process) and not workers(round_.mark):
        time.sleep(0.005)
    time.sleep(round_.stage.seconds * round_.chance.uniform(0, 0.7))
    at_hand = workers(round_.mark)
    if at_hand:
        os.kill(int(round_.chance.choice(at_hand)), signal.SIGKILL)
    round_.look_after(process, {0}, ())
    done_again = "a worker process was killed" in round_.said()
    round_.seen = "done again by others" if done_again else "worker was idle" if at_hand else "had ended"
    round_.nobody_left()
    round_.compare()


def kill_before_other(round_: Round) -> None:
    """SIGKILL to a command of other settings, whose orphans are still at work when this one starts."""
    process = round_.start(*round_.stage.other, workers=2)
    round_.moment(process)
    os.kill(process, signal.SIGKILL)
    round_.look_after(process, {-signal.SIGKILL, 0}, ())
    round_.seen = "nothing mixed"
    round_.again()
    round_.nobody_left()


def two_at_once(round_: Round) -> None:
    """The same command started again while it runs."""
    first = round_.start()
    round_.moment(first)
    log = round_.run.parent / "second.log"
    second = round_.starter.start(round_.stage.arguments(round_.run, round_.n_workers), log, round_.mark)
    code = round_.starter.wait(second)
    round_.look_after(first, {0}, ())
    refused = code == 4 and "in use by another hpa-boost command" in log.read_text()
    round_.check(code == 0 or refused, f"the second ended with {code}: {log.read_text()[-200:]!r}")
    round_.seen = "second refused" if refused else "one after the other"
    round_.nobody_left()
    round_.compare()


def full_disk(round_: Round) -> None:
    """A disk that has room for a drawn part of what the command writes."""
    there, wanted = _pages(round_.stage.before), _pages(round_.stage.after)
    room = there + int(round_.chance.uniform(0.02, 0.95) * (wanted - there)) + 64
    shutil.rmtree(round_.run)
    round_.run.mkdir()
    with mounted(round_.run, "-t", "tmpfs", "-o", f"size={room * _PAGE}", "tmpfs"):
        fill(round_.stage, round_.run)
        code = round_.look_after(round_.start(), {4, 0}, ("No space left on device",))
        round_.seen = "4, message" if code else "there was room"
        round_.nobody_left()
        subprocess.run(["mount", "-o", "remount,size=1g", str(round_.run)], check=True)
        round_.again()


def read_only(round_: Round) -> None:
    """A run folder that cannot be written."""
    with mounted(round_.run, "--bind", str(round_.run)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(round_.run)], check=True)
        round_.look_after(round_.start(), {4}, ("Read-only file system",))
        round_.nobody_left()
    round_.seen = "4, message"
    round_.again()


KINDS: dict[str, tuple[Callable[[Round], None], tuple[str, ...]]] = {
    "kill -9": (kill, LONG + SHORT),
    "SIGTERM": (terminate, LONG + SHORT),
    "Ctrl-C": (ctrl_c, LONG + SHORT),
    "kill -9 of a worker": (kill_worker, ("extract", "fit", "importances", "report")),
    "kill -9, then other settings": (kill_before_other, LONG),
    "two at once": (two_at_once, LONG + SHORT),
    "full disk": (full_disk, LONG + SHORT),
    "read-only folder": (read_only, LONG + SHORT),
}
Outcomes = dict[tuple[str, str], Counter[str]]
"""By fault and command, how often each outcome was seen."""

BAD, SKIPPED = "BAD", "skipped: needs root to mount"
TOO_LATE = ("had ended", "worker was idle", "there was room", "one after the other")
NEED_ROOT = ("full disk", "read-only folder")


def _pages(folder: Path) -> int:
    """What a folder takes on a tmpfs, in pages."""
    return sum(-(-path.stat().st_size // _PAGE) if path.is_file() else 1 for path in folder.rglob("*"))


def prepare(starter: Starter, folder: Path) -> list[Stage]:
    """Simulate fields, run all commands undisturbed, each on what the one before it left."""
    data, log = folder / "data", folder / "undisturbed.log"
    drawn = ["simulate", str(data), "--fields", "24", "--test-fields", "4", "--size", "96", "--workers", "1"]
    quick = {
        "extract": (["--data", str(data), "--device", "cpu"], ["--no-er"]),
        "fit": (["--data", str(data), "--device", "cpu", "--folds", "3", "--rounds", "3"], ["--rounds", "4"]),
        "importances": ([], []),
        "report": (["--data", str(data)], []),
        "submit": (["--data", str(data)], []),
    }

    def arguments(name: str) -> Callable[[Path, int], list[str]]:
        workers = (lambda n: []) if name == "submit" else (lambda n: ["--workers", str(n)])
        return lambda run, n: [name, "--run", str(run), *quick[name][0], *workers(n)]

    def undisturbed(name: str, before: Path) -> Path:
        after = folder / "after" / name / "run"
        shutil.copytree(before, after)
        _must(starter.run(arguments(name)(after, 1), log), log)
        return after

    _must(starter.run(drawn, log), log)
    before = folder / "empty"
    before.mkdir()
    stages = []
    for name, (_, other) in quick.items():
        begun = time.monotonic()
        after = undisturbed(name, before)
        seconds = time.monotonic() - begun
        stages.append(Stage(name, arguments(name), tuple(other), before, after, seconds))
        print(f"{name}, undisturbed: {seconds:.1f} s", file=sys.stderr, flush=True)
        before = after
    return stages


def _must(code: int, log: Path) -> None:
    if code:
        raise SystemExit(f"the undisturbed run ended with {code}:\n{log.read_text()}")


def table(outcomes: Outcomes) -> str:
    """Markdown: a row a fault, a column a command, how often each outcome was seen."""
    lines = ["| fault | " + " | ".join(LONG + SHORT) + " |", "|---" * (1 + len(LONG + SHORT)) + "|"]
    for kind in KINDS:
        cells = [outcomes.get((kind, name), Counter()) for name in LONG + SHORT]
        told = ["<br>".join(f"{n} × {word}" for word, n in cell.most_common()) or "–" for cell in cells]
        lines.append(f"| {kind} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def strike_all(starter: Starter, folder: Path, options: argparse.Namespace, outcomes: Outcomes) -> None:
    """All rounds; each outcome is noted as it is seen."""
    chance = np.random.default_rng(options.seed)
    stages = prepare(starter, folder)
    for _ in range(options.times):
        for kind, (strike, commands) in KINDS.items():
            for stage in stages:
                if stage.name not in commands or options.only not in (None, kind):
                    continue
                if options.command not in (None, stage.name):
                    continue
                seen = outcomes.setdefault((kind, stage.name), Counter())
                if kind in NEED_ROOT and os.geteuid() != 0:
                    seen[SKIPPED] += 1
                    continue
                n = sum(counter.total() for counter in outcomes.values()) + 1
                round_ = Round(starter, stage, folder / f"round-{n}" / "run", chance)
                fill(stage, round_.run)
                strike(round_)
                said = f"{BAD}: {'; '.join(round_.complaints)}" if round_.complaints else round_.seen
                seen[said] += 1
                print(f"{n} {stage.name}, {kind}: {said}", file=sys.stderr, flush=True)
                if round_.complaints and options.keep:
                    shutil.copytree(round_.run.parent, options.keep / f"round-{n}")
                shutil.rmtree(round_.run.parent)


def main() -> int:
    """Run the rounds and print a table of their ends; 1 if any end was bad."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="rounds of each fault and command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KINDS), help="one kind of fault")
    parser.add_argument("--command", choices=LONG + SHORT, help="one command")
    parser.add_argument("--keep", type=Path, help="keep the run folders and logs of rounds with a bad end here")
    options = parser.parse_args()
    outcomes: Outcomes = {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, contextlib.suppress(KeyboardInterrupt):
        strike_all(Starter(), Path(name), options, outcomes)
    print(table(outcomes))
    seen = sum(outcomes.values(), Counter())
    bad = sum(n for word, n in seen.items() if word.startswith(BAD))
    rounds = seen.total() - seen[SKIPPED]
    late = sum(seen[word] for word in TOO_LATE)
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{rounds} rounds, {rounds - late} of them struck in time, {bad} with a bad end ({minutes:.0f} minutes).")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
