"""Peak memory of every process of `extract` on large fields (Linux).

    python -m benchmarks.memory [--fields 3] [--workers 2]

The images are simulated 3072 px 16-bit TIFF fields. Two peaks a process: "own" is memory that is its alone; "resident"
counts files mapped into memory too (libraries), which the system takes back when it needs to. The memory of the other
commands at the competition's size: `benchmarks.full_size`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile

from benchmarks.process_cost import family
from simulate import simulate

ROOT = Path(__file__).resolve().parents[1]
ROWS_A_PART = 2048
SIDE = 3072


@dataclass
class Peak:
    """Peaks of one process, MB."""

    own: float = 0.0
    resident: float = 0.0


def watch(arguments: list[str]) -> tuple[float, Peak, list[Peak]]:
    """Run a command of cli.py; gives its seconds, the parent's peaks and each worker's, largest first."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "cli.py", *arguments, "--quiet"], cwd=ROOT)
    peaks: dict[int, Peak] = {}
    while process.poll() is None:
        for pid in family(process.pid):
            peak = peaks.setdefault(pid, Peak())
            sizes = _sizes(pid)
            peak.own = max(peak.own, sizes.get("RssAnon", 0.0))
            peak.resident = max(peak.resident, sizes.get("VmHWM", 0.0))
        time.sleep(0.05)
    if process.returncode not in (0, 3):
        raise SystemExit(f"cli.py {' '.join(arguments)} ended with {process.returncode}")
    parent = peaks.pop(process.pid)
    return time.perf_counter() - begun, parent, sorted(peaks.values(), key=lambda peak: -peak.own)


def _sizes(pid: int) -> dict[str, float]:
    """MB of a process by kind."""
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(kilobytes) / 1024 for name, kilobytes, _ in pairs}


def large_fields(folder: Path, n: int) -> None:
    """Simulated fields, enlarged to the size of the originals, as 16-bit TIFF."""
    simulate(folder, fields=n, test_fields=1, size=SIDE // 4, seed=3)
    for path in [*folder.glob("*/*.png")]:
        plane = cv2.resize(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        tifffile.imwrite(path.with_suffix(".tif"), plane.astype(np.uint16) * 257)
        path.unlink()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large_fields(folder / "large", given.fields)
        where = ["--data", str(folder / "large"), "--run", str(folder / "run"), "--workers", str(given.workers)]
        print("| command | s | parent: own MB (resident) | workers: own MB (resident) |\n|---|--:|--:|--:|")
        report("extract, 3072 px TIFF", ["extract", *where])


def report(what: str, arguments: list[str]) -> None:
    """Measure one command and print its row."""
    seconds, parent, workers = watch(arguments)
    told = [f"{peak.own:.0f} ({peak.resident:.0f})" for peak in (parent, *workers) if peak.own > 50]
    print(f"| {what} | {seconds:.0f} | {told[0]} | {', '.join(told[1:]) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
