"""The commands at the competition's size, as a user runs them: seconds, CPU time, peak memory, temporary disk (Linux).

    python -m benchmarks.full_size --labels TRAIN.CSV [--fields 31072] [--test 11702] [--workers 2] [--keep DIR]
    python -m benchmarks.full_size --labels TRAIN.CSV --fields 100000 --only fit --scheduler tcp://127.0.0.1:8786
    python -m benchmarks.full_size --labels TRAIN.CSV --only fit --workers 4 --kill-after 200

The matrix has the real labels, antibody-like groups, all columns of `extract` with the embedding, and synthetic values
(see synthetic.py). With more fields than labels, the labels repeat. Then fit, importances, report and submit run on it,
each in a process of its own with its workers. Memory is the largest sum over all processes of their proportional share
(Pss), without those of a cluster; temporary disk is what lies beside the results at most.

The last line is a hash of what `fit` wrote: runs with other numbers of workers, or with a kill, must print the same.
"""

import argparse
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.process_cost import Cost, cost_while
from benchmarks.synthetic import antibody_groups, synthetic_matrix
from engine.files import write_csv
from features.embedding.pretrained import pretrained_network
from features.extraction.batches import cell_columns
from features.extraction.field_level import field_columns, field_metadata
from features.extraction.settings import ExtractSettings
from models.data.labels import read_labels
from store.columns import columns_frame, write_column_table
from store.matrix import matrix_columns, write_matrix

ROOT = Path(__file__).resolve().parents[1]
ROWS_A_PART = 2048
FIT_TABLES = ("folds.parquet", "leaderboard.csv", "label_errors.csv", "duplicates.csv")


@dataclass(frozen=True)
class Ended:
    """What a command used; `temporary_gb` is the largest size of the run folder beyond that at the end."""

    cost: Cost
    temporary_gb: float


def run_command(arguments: list[str], run: Path) -> Ended:
    """Run a command of cli.py and watch it."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            peak[0] = max(peak[0], folder_gb(run))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT)
    cost = cost_while(process.pid, lambda: process.poll() is None, start)
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"cli.py {' '.join(arguments)} ended with {process.returncode}")
    return Ended(cost, max(peak[0] - folder_gb(run), 0.0))


def kill_after(seconds: float, arguments: list[str]) -> None:
    """Run a command of cli.py in a process group of its own, and kill all of the group after some seconds."""
    process = subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        raise SystemExit(f"It ended within {seconds:g} s: nothing was killed.")


def results_hash(run: Path) -> str:
    """A hash of the names and bytes of what `fit` wrote."""
    total = hashlib.sha256()
    written = [*(run / "models").rglob("*"), *(run / "oof").rglob("*"), *map(run.joinpath, FIT_TABLES)]
    for path in sorted(path for path in written if path.is_file()):
        with path.open("rb") as content:
            total.update(str(path.relative_to(run)).encode() + hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


def folder_gb(folder: Path) -> float:
    """Size of all files in a folder, but for those that are removed meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total / 1e9


def _metadata(ids: list[str], split: str, rng: np.random.Generator) -> pd.DataFrame:
    kinds = field_metadata()
    hashes = {name: rng.integers(0, 2**63, len(ids), np.uint64) for name in kinds if "Hash" in name}
    return pd.DataFrame({"Metadata_Id": ids, "Metadata_Split": split} | hashes)


def finished_extraction(run: Path, data: Path, labels: np.ndarray, ids: list[str], n_test: int) -> None:
    """The tables that `fit` and what follows read, with synthetic values; test fields have those of train."""
    rng = np.random.default_rng(20181)
    settings = ExtractSettings(None, "cpu", pretrained_network())
    described = columns_frame((*cell_columns(settings), *field_columns()))
    (run / "features").mkdir(parents=True)
    write_column_table(run / "features/columns.parquet", described)
    groups = antibody_groups(labels, rng)
    values = synthetic_matrix(labels, groups, len(matrix_columns(described)), rng)
    for split, some in (("train", ids), ("test", [f"test-{name}" for name in ids[:n_test]])):
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


def main() -> None:
    """Make the run, and print one row a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--fields", type=int, default=31072)
    parser.add_argument("--test", type=int, default=11702)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler", help="Run fit and importances on the Dask cluster of this scheduler.")
    parser.add_argument("--keep", type=Path, help="Make the run in this folder and leave it there.")
    parser.add_argument("--kill-after", type=float, metavar="SECONDS", help="Kill a first fit after this time.")
    parser.add_argument("--only", nargs="*", default=["fit", "importances", "report", "submit"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        if not (folder / "data/groups.csv").is_file():
            table = read_labels(given.labels)
            labels = table.matrix[np.arange(given.fields) % len(table.matrix)]
            ids = [f"field{k:07d}" for k in range(given.fields)]
            finished_extraction(folder / "run", folder / "data", labels, ids, min(given.test, len(ids)))
        where = ["--run", str(folder / "run")]
        data = ["--data", str(folder / "data")]
        groups = ["--groups", str(folder / "data/groups.csv")]
        workers = ["--workers", str(given.workers)]
        workers_or_cluster = ["--scheduler", given.scheduler] if given.scheduler else workers
        commands = {
            "fit": ["fit", *where, *data, *groups, *workers_or_cluster, "--device", "cpu"],
            "importances": ["importances", *where, *workers_or_cluster],
            "report": ["report", *where, *data, *workers],
            "submit": ["submit", *where, *data],
        }
        if given.kill_after:
            kill_after(given.kill_after, commands["fit"])
        print("| command | s | CPU s | memory GB | temporary disk GB |\n|---|--:|--:|--:|--:|", flush=True)
        for command in given.only:
            ended = run_command(commands[command], folder / "run")
            cost = ended.cost
            print(
                f"| {command} | {cost.seconds:.0f} | {cost.processor_seconds:.0f} | {cost.peak_gb:.2f} | "
                f"{ended.temporary_gb:.2f} |",
                flush=True,
            )
        print(f"\nresults of fit: {results_hash(folder / 'run')[:16]}")


if __name__ == "__main__":
    main()
