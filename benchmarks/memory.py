"""Peak memory of every process of the commands, on large fields and on a matrix of the competition's size (Linux).

    python benchmarks/memory.py --labels TRAIN.CSV [--fields 31072] [--organelles 3] [--rounds 20] [--workers 2]

The images are simulated 3072 px TIFF fields; the matrix has the real labels, this version's columns and synthetic
values (see synthetic.py). Only so many organelles are learnt: a fit's peak does not depend on how many there are.

Two peaks a process: "own" is memory that is its alone; "resident" counts files mapped into memory too (libraries, the
matrix that the workers share, XGBoost's blocks on disk), which the system takes back when it needs to.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.process_cost import family
from benchmarks.synthetic import antibody_groups, synthetic_matrix
from engine.files import write_csv
from features import columns
from features._field import field_columns, field_metadata
from features._table import columns_frame
from models.labels import ORGANELLES, read_labels
from models.matrix import matrix_columns, write_matrix
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


def finished_extraction(run: Path, data: Path, labels: np.ndarray, ids: list[str]) -> None:
    """The tables that `fit` and what follows read, with synthetic values; a third as many test fields."""
    rng = np.random.default_rng(20181)
    described = columns_frame((*columns(), *field_columns()))
    (run / "features").mkdir(parents=True)
    pq.write_table(pa.Table.from_pandas(described, preserve_index=False), run / "features/columns.parquet")
    groups = antibody_groups(labels, rng)
    values = synthetic_matrix(labels, groups, len(matrix_columns(described)), rng)
    for split, some in (("train", ids), ("test", [f"test-{name}" for name in ids[: len(ids) // 3]])):
        metadata = _metadata(some, split, rng)
        parts = (
            (metadata.iloc[k : k + ROWS_A_PART], values[k : k + ROWS_A_PART][: len(some) - k])
            for k in range(0, len(some), ROWS_A_PART)
        )
        write_matrix(run / f"features/{split}.parquet", parts, described, "synthetic values")
    data.mkdir(exist_ok=True)
    targets = [" ".join(map(str, np.flatnonzero(row))) or "25" for row in labels]
    write_csv(data / "train.csv", ("Id", "Target"), zip(ids, targets, strict=True))
    write_csv(data / "groups.csv", ("Id", "Group"), zip(ids, groups.tolist(), strict=True))


def _metadata(ids: list[str], split: str, rng: np.random.Generator) -> pd.DataFrame:
    kinds = field_metadata()
    hashes = {name: rng.integers(0, 2**63, len(ids), np.uint64) for name in kinds if "Hash" in name}
    return pd.DataFrame({"Metadata_Id": ids, "Metadata_Split": split} | hashes)


def only(labels: np.ndarray, n: int) -> np.ndarray:
    """The labels with the n commonest organelles alone, which keeps a fit short and its matrix whole."""
    kept = np.zeros_like(labels)
    common = np.argsort(-labels.sum(0))[:n]
    kept[:, common] = labels[:, common]
    return kept


def main() -> None:
    """Measure every command and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--fields", type=int, default=31072)
    parser.add_argument("--large", type=int, default=8, help="3072 px fields to extract; 0 for none")
    parser.add_argument("--organelles", type=int, default=3, choices=range(1, len(ORGANELLES) + 1))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; {options.fields} fields, {options.organelles} organelles, {options.rounds} rounds")
    print("| command | s | parent: own MB (resident) | workers: own MB (resident) |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = ["--workers", str(options.workers)]
        if options.large:
            large_fields(folder / "large", options.large)
            where = ["--data", str(folder / "large"), "--run", str(folder / "large-run")]
            report("extract, 3072 px TIFF", ["extract", *where, *many])
        table = read_labels(options.labels)
        labels = only(table.matrix[: options.fields], options.organelles)
        finished_extraction(folder / "run", folder / "data", labels, sorted(table.ids)[: options.fields])
        where = ["--data", str(folder / "data"), "--run", str(folder / "run")]
        report("fit", ["fit", *where, *many, "--rounds", str(options.rounds), "--folds", "3", "--device", "cpu"])
        report("importances", ["importances", "--run", str(folder / "run"), *many])
        report("report", ["report", *where, *many])
        report("submit", ["submit", *where])


def report(what: str, arguments: list[str]) -> None:
    """Measure one command and print its row."""
    seconds, parent, workers = watch(arguments)
    told = [f"{peak.own:.0f} ({peak.resident:.0f})" for peak in (parent, *workers) if peak.own > 50]
    print(f"| {what} | {seconds:.0f} | {told[0]} | {', '.join(told[1:]) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
