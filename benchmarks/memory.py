"""Peak memory of every process of the commands, on large fields and on a matrix of the competition's size (Linux).

    python -m benchmarks.memory --labels TRAIN.CSV [--fields 31072] [--large 8] [--commands] [--workers 2]

First the pieces, each in a process of its own: writing and reading the matrix, and a job of a worker for each member: a
fold of one organelle. With --commands also whole commands as a user types them. The images are simulated 3072 px TIFF
fields; the matrix has the real labels, this version's columns and synthetic values (see synthetic.py). Only some
organelles are learnt and few rounds: a fit's peak does not depend on how many there are.

Two peaks a process: "own" is memory that is its alone; "resident" counts files mapped into memory too (libraries, the
matrix that the workers share, XGBoost's blocks on disk), which the system takes back when it needs to.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import tifffile

from benchmarks.process_cost import family
from benchmarks.synthetic import antibody_groups, synthetic_matrix
from engine.files import write_csv
from engine.running.memory import trim_memory
from features import columns
from features.extraction.field_level import field_columns, field_metadata
from models.data.labels import ORGANELLES, read_labels
from models.first_level import xgboost as xgb
from models.first_level.class_weights import row_weights
from models.first_level.fold_model import Training
from models.first_level.members import member
from models.settings import FitSettings
from simulate import simulate
from store.columns import columns_frame, write_column_table
from store.matrix import matrix_columns, read_columns, read_matrix, write_matrix
from store.run_folder import RunFolder

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


def piece(work: Callable[..., None], *arguments: object) -> tuple[float, Peak]:
    """Run a top-level function in a process of its own; gives its processor seconds and peaks."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_watched, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    told = mine.recv()
    process.join()
    return told


def _watched(pipe: object, work: Callable[..., None], arguments: tuple) -> None:
    peak, ended = Peak(), threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            peak.own = max(peak.own, _sizes(os.getpid())["RssAnon"])

    watcher = threading.Thread(target=look)
    watcher.start()
    begun = time.process_time()
    work(*arguments)
    seconds = time.process_time() - begun
    ended.set()
    watcher.join()
    peak.resident = _sizes(os.getpid())["VmHWM"]
    pipe.send((seconds, peak))


def write_piece(run: Path) -> None:
    """Pooled shards, made as they are asked for, to the matrix."""
    described = read_columns(RunFolder(run))
    source = np.load(run / "values.npy", mmap_mode="r")
    ids = [f"id{k:07d}" for k in range(len(source))]
    rng = np.random.default_rng(0)
    metadata = _metadata(ids, "train", rng)
    parts = ((metadata.iloc[k : k + 64], np.array(source[k : k + 64])) for k in range(0, len(source), 64))
    write_matrix(run / "features/written.parquet", parts, described, "synthetic values")


def read_piece(run: Path) -> None:
    """The matrix as `fit` reads it."""
    read_matrix(run / "features/train.parquet", read_columns(RunFolder(run)))


def job(run: Path, name: str, rounds: int, blocks: int) -> None:
    """What a worker does for one member and fold, with one organelle: prepare, train, score."""
    xgb.BLOCKS = blocks
    values = np.load(run / "values.npy", mmap_mode="r")
    labels = np.load(run / "labels.npy")[:, 0]
    fold = np.random.default_rng(0).integers(0, 10, len(values))
    seen, unseen = np.flatnonzero(fold < 7), np.flatnonzero(fold >= 8)
    training = Training(values, labels[:, None], fold, fold)
    prepared = member(name).prepare(training.of(seen), "cpu")
    trim_memory()
    mine = labels[seen]
    model = member(name).train(prepared, mine, row_weights(mine, 0.5), rounds, 1)
    member(name).score(model, values[unseen])


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
    write_column_table(run / "features/columns.parquet", described)
    groups = antibody_groups(labels, rng)
    values = synthetic_matrix(labels, groups, len(matrix_columns(described)), rng)
    for split, some in (("train", ids), ("test", [f"test-{name}" for name in ids[: len(ids) // 3]])):
        metadata = _metadata(some, split, rng)
        parts = (
            (metadata.iloc[k : k + ROWS_A_PART], values[k : k + ROWS_A_PART][: len(some) - k])
            for k in range(0, len(some), ROWS_A_PART)
        )
        write_matrix(run / f"features/{split}.parquet", parts, described, "synthetic values")
    np.save(run / "values.npy", values)
    np.save(run / "labels.npy", labels)
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
    """Measure the pieces, and the commands where asked, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--fields", type=int, default=31072)
    parser.add_argument("--large", type=int, default=0, help="3072 px fields to extract first; 0 for none")
    parser.add_argument("--commands", action="store_true", help="also fit, importances, report and submit")
    parser.add_argument("--organelles", type=int, default=3, choices=range(1, len(ORGANELLES) + 1))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=4, help="of XGBoost's 32 in its job; more only fill the disk")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; {options.fields} fields, {options.organelles} organelles, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = ["--workers", str(options.workers)]
        print("| command | s | parent: own MB (resident) | workers: own MB (resident) |\n|---|--:|--:|--:|")
        if options.large:
            large_fields(folder / "large", options.large)
            where = ["--data", str(folder / "large"), "--run", str(folder / "large-run")]
            report("extract, 3072 px TIFF", ["extract", *where, *many])
        table = read_labels(options.labels)
        labels = only(table.matrix[: options.fields], options.organelles)
        finished_extraction(folder / "run", folder / "data", labels, sorted(table.ids)[: options.fields])
        if options.commands:
            where = ["--data", str(folder / "data"), "--run", str(folder / "run")]
            report("fit", ["fit", *where, *many, "--rounds", str(options.rounds), "--folds", "3", "--device", "cpu"])
            report("importances", ["importances", "--run", str(folder / "run"), *many])
            report("report", ["report", *where, *many])
            report("submit", ["submit", *where])
        print("\n| piece | CPU s | own MB (resident) |\n|---|--:|--:|")
        jobs = [(f"job: {one}", job, (one, options.rounds, options.blocks)) for one in FitSettings().members]
        for what, work, more in (("write matrix", write_piece, ()), ("read matrix", read_piece, ()), *jobs):
            seconds, peak = piece(work, folder / "run", *more)
            print(f"| {what} | {seconds:.0f} | {peak.own:.0f} ({peak.resident:.0f}) |", flush=True)


def report(what: str, arguments: list[str]) -> None:
    """Measure one command and print its row."""
    seconds, parent, workers = watch(arguments)
    told = [f"{peak.own:.0f} ({peak.resident:.0f})" for peak in (parent, *workers) if peak.own > 50]
    print(f"| {what} | {seconds:.0f} | {told[0]} | {', '.join(told[1:]) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
