"""`extract` on thousands of fields: CPU time a field, rate, memory and disk over time (Linux).

    python -m benchmarks.steady_state [--source DIR] [--fields 3000] [--workers 1 2] [--parts 10] [--options ...]

Real fields are replicated: each copy is turned, flipped, shifted (its border is mirrored) and made darker or brighter,
so that no two are alike. For each number of workers one `extract` runs on all of them; a line is printed each time a
part of the fields is finished. CPU ms a field are those of all processes. `--options` are passed on to `extract`.

Before each run and after each part, while the run is stopped, fields are also read and measured one after the other in
this process, with the default options. What they need promises a rate, also on a machine that grows slower or faster.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from benchmarks.process_cost import family
from benchmarks.time_families import SAMPLE
from features.core.device import open_device
from features.embedding.pretrained import pretrained_network
from features.extraction.batches import ReadField, batches, fetch, launch, read_one
from features.extraction.settings import ExtractSettings
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from store.channels import CHANNELS

ROOT = Path(__file__).resolve().parents[1]
SHIFT = 32  # px, at most
ALONE = 118  # fields: each of the sample's twice
_TICKS = os.sysconf("SC_CLK_TCK")


def replicate(source: Path, folder: Path, n: int) -> None:
    """Write n fields as PNG: copies of the source's fields, each changed in its own way."""
    fields = find_fields(source)
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for k in range(n):
        pixels = read_field(fields, fields.ids[k % len(fields.ids)])
        pixels = np.rot90(pixels, int(rng.integers(4)), axes=(1, 2))
        pixels = pixels[:, :, ::-1] if rng.random() < 0.5 else pixels
        (top, left), (height, width) = rng.integers(0, 2 * SHIFT, 2), pixels.shape[1:]
        framed = np.pad(pixels, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)), mode="reflect")
        pixels = framed[:, top : top + height, left : left + width]
        gains = rng.uniform(0.8, 1.2, (len(CHANNELS), 1, 1))
        changed = np.clip(pixels * gains, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
        for channel, plane in zip(CHANNELS, changed):
            path = folder / f"{k:05d}_{channel.colour}.png"
            cv2.imwrite(str(path), np.ascontiguousarray(plane), [cv2.IMWRITE_PNG_COMPRESSION, 1])


def alone(folder: Path, n: int) -> float:
    """CPU seconds of a field, read and measured on one thread: the mean of the first n, after some that compile."""
    cv2.setNumThreads(1)
    source, device = find_fields(folder), open_device("cpu")
    settings = ExtractSettings(None, "cpu", pretrained_network())
    for ids in (source.ids[:2], source.ids[:n]):
        start = time.process_time()
        for field_id in ids:
            read = read_one(source, field_id, settings)
            for batch in batches([read] if isinstance(read, ReadField) else [], device):
                fetch(launch(batch, settings, device), settings, device)
    return (time.process_time() - start) / len(ids)


@dataclass(frozen=True)
class State:
    """What has been used so far.

    Attributes
    ----------
    fields : int
        Finished.
    seconds, processor_seconds : float
    resident_mb, disk_mb : float
        Resident memory of all processes together now, and the size of the run's features.
    """

    fields: int
    seconds: float
    processor_seconds: float
    resident_mb: float
    disk_mb: float


def states(data: Path, run: Path, workers: int, options: list[str]) -> Iterator[State]:
    """Run `extract` and look at it twice a second; the last state is that of the finished run.

    The run is stopped, and its time too, while it is looked at and while the caller has a state.
    """
    given = ["--data", str(data), "--run", str(run), "--workers", str(workers), "--quiet", *options]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "cli.py", "extract", *given], cwd=ROOT, stdout=subprocess.DEVNULL)
    counted: dict[Path, int] = {}
    processor: dict[int, float] = {}
    while process.poll() is None:
        alive = family(process.pid)
        stopped = time.perf_counter()
        _send(alive, signal.SIGSTOP)
        try:
            processor |= {pid: _processor_seconds(pid) or processor.get(pid, 0.0) for pid in alive}
            yield _state(run, counted, stopped - start, sum(processor.values()), sum(map(_resident_mb, alive)))
        finally:
            _send(alive, signal.SIGCONT)
        start += time.perf_counter() - stopped
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    ended = time.perf_counter()
    if process.returncode not in (0, 3):
        raise SystemExit(f"extract ended with {process.returncode}")
    yield _state(run, counted, ended - start, sum(processor.values()), 0.0)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _state(run: Path, counted: dict[Path, int], seconds: float, processor: float, resident: float) -> State:
    """Count the rows of new tables of fields, and the bytes of all files."""
    for path in (run / "features" / "fields").glob("*.parquet"):
        if path not in counted:
            counted[path] = pq.read_metadata(path).num_rows
    sizes = [path.stat().st_size for path in (run / "features").rglob("*.parquet")]
    return State(sum(counted.values()), seconds, processor, resident, sum(sizes) / 2**20)


def _processor_seconds(pid: int) -> float:
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(numbers[11]) + int(numbers[12])) / _TICKS


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def report(data: Path, run: Path, n: int, workers: int, parts: int, options: list[str]) -> None:
    """Run once and print a line a part: what was used in it, and how much is in use; then what was promised."""
    costs = [alone(data / "train", ALONE)]
    print(f"\n{workers} workers\n| fields | fields/s | CPU ms a field | resident MB | disk MB |\n|--:|--:|--:|--:|--:|")
    start = before = State(0, 0.0, 0.0, 0.0, 0.0)
    largest = ever = 0.0
    for state in states(data, run, workers, options):
        largest, ever = max(largest, state.resident_mb), max(ever, state.resident_mb)
        is_last = state.resident_mb == 0
        if state.fields - before.fields < n / parts and not is_last:
            continue
        _print_row(before, state, largest)
        before, largest = state, 0.0
        costs.append(alone(data / "train", ALONE))
        if is_last:
            _print_row(start, state, ever)
            _print_promise(costs, workers, state.fields / state.seconds)


def _print_promise(costs: list[float], workers: int, rate: float) -> None:
    each = ", ".join(f"{1000 * cost:.0f}" for cost in costs)
    promised = workers * len(costs) / sum(costs)
    told = f"one by one {each} CPU ms a field: {promised:.2f} fields/s promised, {rate / promised:.2f} of it reached"
    print(told, flush=True)


def _print_row(before: State, state: State, largest: float) -> None:
    fields, seconds = state.fields - before.fields, state.seconds - before.seconds
    processor = 1000 * (state.processor_seconds - before.processor_seconds)
    numbers = f"{fields / seconds:.2f} | {processor / max(fields, 1):.0f} | {largest:.0f} | {state.disk_mb:.0f}"
    print(f"| {before.fields} to {state.fields} | {numbers} |", flush=True)


def main() -> None:
    """Print a row for each part of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=SAMPLE, help="folder or zip of fields (default: %(default)s)")
    parser.add_argument("--fields", type=int, default=3000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--parts", type=int, default=10, help="lines a run (default: %(default)s)")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="passed on to extract; comes last")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        replicate(given.source, Path(name) / "data" / "train", given.fields)
        for workers in given.workers:
            report(Path(name) / "data", Path(name) / f"run{workers}", given.fields, workers, given.parts, given.options)


if __name__ == "__main__":
    main()
