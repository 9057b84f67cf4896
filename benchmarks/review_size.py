"""`review` at full size: 31,072 training fields and 800,000 cells in generated tables.

    python -m benchmarks.review_size /tmp/large --images data/train

Writes a run with all default features (9 GB), random values and Kaggle's class shares, finds the places of fields and
cells as `extract` does at its end, fits a linear model, starts the page and measures it as a browser would ask. Then it
starts the page once more without the kept places, as for a copied run. The images of a folder in Kaggle's layout are
given to the first fields, as often as needed for a page of pictures.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pyarrow as pa

import pipeline
from commands.keep_places import keep_places
from commands.new_fields import choose_network
from features.extraction.batches import cell_columns
from features.extraction.field_level import field_columns
from features.extraction.settings import ExtractSettings
from store.channels import CHANNELS
from store.columns import columns_frame, write_column_table
from store.matrix import ROWS_A_GROUP, matrix_columns, write_matrix
from store.run_folder import RunFolder
from store.schema import CELLS, METADATA_HASH, METADATA_ID, PLACE
from store.schema import FIELDS as FIELDS_TABLE
from store.shards import Shard, cut_ids, write_shard_table

FIELDS, CELLS_A_FIELD, PAGE = 31_072, 800_000 / 31_072, 60


def make_ids(n: int) -> tuple[str, ...]:
    """Ids in the form of Kaggle's."""
    return tuple(f"{k:08x}-bba0-11e8-b2b9-ac1f6b6435d0" for k in range(n))


def write_run(root: Path, ids: tuple[str, ...]) -> None:
    """Tables of cells, fields and the matrix, and train.csv."""
    rng = np.random.default_rng(0)
    folder, of_field = RunFolder(root / "run"), field_columns()
    of_cell = cell_columns(ExtractSettings(masks=None, device="cpu", network=choose_network()))
    pool = np.abs(rng.standard_normal((len(of_cell), 2**13), np.float32))  # parts of it are the values of a shard
    frame = columns_frame((*of_cell, *of_field))
    write_column_table(folder.columns, frame)
    for number, piece in enumerate(cut_ids(ids)):
        shard = Shard("train", number, piece, f"generated {number}", folder.features)
        counts = rng.poisson(CELLS_A_FIELD, len(piece)).clip(1)
        n = int(counts.sum())
        cells = [number for count in counts for number in range(1, count + 1)]
        place = rng.uniform(0, 512, (n, 2)).astype(np.float32)
        nowhere = [pa.nulls(n, pa.string())] * (len(PLACE) - 1)
        metadata = [
            np.repeat(piece, counts),
            *nowhere,
            ["train"] * n,
            np.array(cells, np.int32),
            *place.T,
            rng.random(n) < 0.2,
        ]
        values = np.take(pool, range(first := int(rng.integers(2**13)), first + n), axis=1, mode="wrap")
        table = dict(zip(CELLS, metadata, strict=True)) | dict(zip((c.name for c in of_cell), values, strict=True))
        write_shard_table(shard.cells_path, pa.table(table), shard.stamp)
        empty = dict.fromkeys(FIELDS_TABLE, pa.nulls(len(piece), pa.string()))
        fields = pa.table(empty | {METADATA_ID: list(piece)})
        write_shard_table(shard.fields_path, fields, shard.stamp)
    hashes = {f"{METADATA_HASH}{channel.name}": rng.integers(2**62, size=len(ids)) for channel in CHANNELS}
    matrix = rng.standard_normal((len(ids), len(matrix_columns(frame))), np.float32)
    metadata, pieces = pd.DataFrame({METADATA_ID: ids} | hashes), range(0, len(ids), ROWS_A_GROUP)
    parts = [(metadata[k : k + ROWS_A_GROUP], matrix[k : k + ROWS_A_GROUP]) for k in pieces]
    write_matrix(folder.matrix("train"), parts, frame, "generated")
    shares = np.geomspace(0.4, 0.002, 28)
    limits = np.quantile(1.8 * rng.normal(size=10**5), 1 - shares)
    labels = matrix[:, :28] + 1.5 * rng.normal(size=(len(ids), 28)) > limits
    labels[~labels.any(1), 0] = True
    rows = (f"{field},{' '.join(map(str, np.flatnonzero(row)))}" for field, row in zip(ids, labels, strict=True))
    (root / "data").mkdir(exist_ok=True)
    (root / "data/train.csv").write_text("\n".join(["Id,Target", *rows]) + "\n")


def give_images(images: Path, data: Path, ids: tuple[str, ...]) -> None:
    """Copy the images of a folder under the ids of the first page of fields."""
    (data / "train").mkdir(exist_ok=True)
    given = sorted(path.name.removesuffix("_green.png") for path in images.glob("*_green.png"))
    for field, own in zip(ids[:PAGE], cycle(given), strict=False):
        for colour in ("red", "green", "blue", "yellow"):
            shutil.copy(images / f"{own}_{colour}.png", data / "train" / f"{field}_{colour}.png")


def look_at(address: str, pictures: list[str]) -> float:
    """Seconds until all pictures of a page are there; six at a time, as a browser asks."""

    def fetch(path: str) -> None:
        with urllib.request.urlopen(f"{address}picture/{path}") as answer:
            answer.read()

    begun = time.monotonic()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(fetch, pictures))
    return time.monotonic() - begun


def ask(address: str, path: str, content: dict | None = None) -> tuple[float, dict]:
    """Seconds of one request, and its answer."""
    headers = {"Content-Type": "application/json", "Origin": "/".join(address.split("/")[:3])}
    data = None if content is None else json.dumps(content).encode()
    begun = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(f"{address}api/{path}", data, headers)) as answer:
        found = json.load(answer)
    return time.monotonic() - begun, found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15])) / os.sysconf("SC_CLK_TCK")


def wait_for(address: str, pid: int, path: str, content: dict | None = None) -> str:
    """Until an answer no longer says that it waits for work in the background: seconds, and CPU seconds, in words."""
    begun, spent = time.monotonic(), cpu_seconds(pid)
    while ask(address, path, content)[1].get("waiting"):
        time.sleep(0.1)
    return f"{time.monotonic() - begun:.1f} s (CPU {cpu_seconds(pid) - spent:.1f} s)"


def measure_start(address: str, pid: int) -> None:
    """Print when the first page and the maps are there; the server is the process `pid`."""
    page = {"size": PAGE}
    first = sum(ask(address, path, content)[0] for path, content in (("run", None), ("fields", page)))
    print(f"first page: {first:.2f} s")
    print(f"map of fields ready after {wait_for(address, pid, 'map?level=fields&colour=label&name=')}")
    print(f"cells ready after {wait_for(address, pid, 'cells', page)} more")
    print(f"map of cells ready after {wait_for(address, pid, 'map?level=cells&colour=label&name=')} more")


def measure(address: str, pid: int, ids: tuple[str, ...], pictures: bool) -> None:
    """Print how long each request takes once the cells are found; the server is the process `pid`."""
    page = {"size": PAGE}
    first, second = (name for name, _ in ask(address, "features")[1]["cells"][:2])
    by_feature = page | {"sort": "feature", "feature": first}
    print(f"cells sorted by a feature after {wait_for(address, pid, 'cells', by_feature)}, once for each feature")
    by_score = page | {"sort": "score", "score": "Cytosol"}
    print(f"cells of 100 fields scored in {wait_for(address, pid, 'cells', by_score)}, once for each choice")
    note = {"entry": str(time.time_ns()), "id": ids[0], "action": "note", "value": "x"}
    questions = {
        "gallery page": ("fields", page | {"start": len(ids) // 2}),
        "gallery page, most uncertain first": ("fields", page | {"sort": "uncertainty"}),
        "gallery page, a class and a text": ("fields", page | {"label": "Cytosol", "text": "0a"}),
        "page of cells": ("cells", page | {"start": 16 * len(ids)}),
        "page of cells of one class": ("cells", page | {"label": "Cytosol"}),
        "page of cells by their score for a class": ("cells", by_score),
        "page of cells by a feature": ("cells", by_feature),
        "map of fields": ("map?level=fields&colour=label&name=", None),
        "map of cells": ("map?level=cells&colour=label&name=", None),
        "map of cells by a feature": (f"map?level=cells&colour=feature&name={second}", None),
        "what to label next": ("fields", page | {"sort": "most useful"}),
        "one label saved": ("corrections", {"entries": [note]}),
        "status": ("status?since=1", None),
    }
    for name, (path, content) in questions.items():
        times = [ask(address, path, content)[0] for _ in range(3)]
        print(f"{name}: {times[0]:.2f} s, again {min(times):.2f} s")
    if pictures:
        shown = {
            "fields": [f"field?{urlencode({'id': field})}" for field in ids[:PAGE]],
            "fields with outlines": [f"field?{urlencode({'id': field, 'outlines': 1})}" for field in ids[:PAGE]],
            "cells": [f"cell?index={k}" for k in range(PAGE)],
        }
        for name, paths in shown.items():
            print(f"{PAGE} pictures of {name}: {look_at(address, paths):.1f} s, again {look_at(address, paths):.1f} s")


@contextmanager
def started(job: pipeline.Job) -> Iterator[tuple[str, int]]:
    """The page's address and the process that serves it; prints its start, memory and CPU time."""
    command = [sys.executable, "cli.py", "review", "--run", str(job.run), "--data", str(job.data), "--no-browser"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = cast("IO[str]", server.stdout).readline().split()[-1]
            print(f"command to address: {time.monotonic() - begun:.2f} s")
            yield address, server.pid
            status = Path(f"/proc/{server.pid}/status").read_text()
            print(next(line for line in status.splitlines() if line.startswith("VmHWM")))
            print(f"CPU of the server in all: {cpu_seconds(server.pid):.0f} s")
        finally:
            server.kill()


def main() -> None:
    """Make the run once, then ask its page and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--images", type=Path, help="folder with <Id>_green.png and the other colours")
    parser.add_argument("--fields", type=int, default=FIELDS)
    given = parser.parse_args()
    ids = make_ids(given.fields)
    job = pipeline.Job(given.root / "run", given.root / "data", workers=1)
    if not job.folder.matrix("train").is_file():
        write_run(given.root, ids)
    if given.images:
        give_images(given.images, job.data, ids)
    begun = time.monotonic()
    keep_places(job.folder, job.data, quiet=True)
    print(f"places of fields and cells, at the end of extract: {time.monotonic() - begun:.1f} s (0 if kept already)")
    if not job.folder.fit.fit_file.is_file():
        (given.root / "fit.toml").write_text("resamples = 2\nrandom_folds = 0\n")
        pipeline.fit(job, n_folds=3, members=("linear",), settings_file=given.root / "fit.toml")
    with started(job) as (address, pid):
        measure_start(address, pid)
        measure(address, pid, ids, bool(given.images))
    print("\nwithout kept places")
    shutil.rmtree(job.folder.review)
    with started(job) as (address, pid):
        measure_start(address, pid)


if __name__ == "__main__":
    main()
