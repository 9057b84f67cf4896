"""`review` at full size: 31,072 training fields and 800,000 cells in generated tables.

    python -m benchmarks.review_size /tmp/large

Writes a run with every 40th feature, random values and Kaggle's class shares, fits a linear model, starts the page and
measures it as a browser would ask. Without images: pictures take the same time for any number of fields.
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import pipeline
from features.extraction.batches import cell_columns
from features.extraction.field_level import field_columns
from features.extraction.settings import ExtractSettings
from store.channels import CHANNELS
from store.columns import columns_frame, write_column_table
from store.matrix import matrix_columns, write_matrix
from store.run_folder import RunFolder
from store.schema import CELLS, METADATA_ERROR, METADATA_HASH, METADATA_ID
from store.shards import Shard, cut_ids, write_shard_table

FIELDS, CELLS_A_FIELD = 31_072, 800_000 / 31_072


def write_run(root: Path) -> None:
    """Tables of cells, fields and the matrix, and train.csv."""
    rng = np.random.default_rng(0)
    folder, columns = RunFolder(root / "run"), cell_columns(ExtractSettings(masks=None, device="cpu"))
    of_cell, of_field = columns[::40], field_columns()
    frame = columns_frame((*of_cell, *of_field))
    write_column_table(folder.columns, frame)
    ids = tuple(f"{k:08x}-bba0-11e8-b2b9-ac1f6b6435d0" for k in range(FIELDS))
    for number, piece in enumerate(cut_ids(ids)):
        shard = Shard("train", number, piece, f"generated {number}", folder.features)
        counts = rng.poisson(CELLS_A_FIELD, len(piece)).clip(1)
        n = int(counts.sum())
        cells = [number for count in counts for number in range(1, count + 1)]
        place = rng.uniform(0, 512, (n, 2)).astype(np.float32)
        metadata = [np.repeat(piece, counts), ["train"] * n, np.array(cells, np.int32), *place.T, rng.random(n) < 0.2]
        values = rng.normal(size=(len(of_cell), n)).astype(np.float32)
        table = dict(zip(CELLS, metadata, strict=True)) | dict(zip((c.name for c in of_cell), values, strict=True))
        write_shard_table(shard.cells_path, pa.table(table), shard.stamp)
        fields = pa.table({METADATA_ID: list(piece), METADATA_ERROR: [None] * len(piece)})
        write_shard_table(shard.fields_path, fields, shard.stamp)
    hashes = {f"{METADATA_HASH}{channel.name}": rng.integers(2**62, size=FIELDS) for channel in CHANNELS}
    matrix = rng.normal(size=(FIELDS, len(matrix_columns(frame)))).astype(np.float32)
    write_matrix(folder.matrix("train"), [(pd.DataFrame({METADATA_ID: ids} | hashes), matrix)], frame, "generated")
    shares = np.geomspace(0.4, 0.002, 28)
    limits = np.quantile(1.8 * rng.normal(size=10**5), 1 - shares)
    labels = matrix[:, :28] + 1.5 * rng.normal(size=(FIELDS, 28)) > limits
    labels[~labels.any(1), 0] = True
    rows = (f"{field},{' '.join(map(str, np.flatnonzero(row)))}" for field, row in zip(ids, labels, strict=True))
    (root / "data").mkdir(exist_ok=True)
    (root / "data/train.csv").write_text("\n".join(["Id,Target", *rows]) + "\n")


def ask(address: str, path: str, content: dict | None = None) -> tuple[float, dict]:
    """Seconds of one request, and its answer."""
    headers = {"Content-Type": "application/json", "Origin": "/".join(address.split("/")[:3])}
    data = None if content is None else json.dumps(content).encode()
    begun = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(f"{address}api/{path}", data, headers)) as answer:
        found = json.load(answer)
    return time.monotonic() - begun, found


def wait_for(address: str, path: str, content: dict | None = None) -> float:
    """Seconds until an answer no longer says that it waits for work in the background."""
    begun = time.monotonic()
    while ask(address, path, content)[1].get("waiting"):
        time.sleep(0.1)
    return time.monotonic() - begun


def main() -> None:
    """Make the run once, then ask its page and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    root = parser.parse_args().root
    job = pipeline.Job(root / "run", root / "data", workers=1)
    if not job.folder.matrix("train").is_file():
        write_run(root)
    (root / "fit.toml").write_text("resamples = 2\nrandom_folds = 0\n")
    pipeline.fit(job, n_folds=3, members=("linear",), settings_file=root / "fit.toml")
    command = [sys.executable, "cli.py", "review", "--run", str(job.run), "--data", str(job.data), "--no-browser"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().split()[-1]
        print(f"command to address: {time.monotonic() - begun:.2f} s")
        first = sum(ask(address, path, content)[0] for path, content in (("run", None), ("fields", {"size": 60})))
        print(f"first page, while tables are still read: {first:.2f} s")
        print(f"places of all fields ready after {wait_for(address, 'map?level=fields&colour=label&name='):.1f} s")
        print(f"cells ready after {wait_for(address, 'cells', {'size': 60}):.1f} s more")
        print(f"map of cells prepared in {wait_for(address, 'map?level=cells&colour=label&name='):.1f} s, once")
        field = "00000000-bba0-11e8-b2b9-ac1f6b6435d0"
        note = {"entry": str(time.time_ns()), "id": field, "action": "note", "value": "x"}
        questions = {
            "gallery page": ("fields", {"size": 60, "start": 15_000}),
            "gallery page, most uncertain first": ("fields", {"size": 60, "sort": "uncertainty"}),
            "gallery page, a class and a text": ("fields", {"size": 60, "label": "Cytosol", "text": "0a"}),
            "page of cells": ("cells", {"size": 60, "start": 500_000}),
            "page of cells of one class": ("cells", {"size": 60, "label": "Cytosol"}),
            "map of fields": ("map?level=fields&colour=label&name=", None),
            "map of cells": ("map?level=cells&colour=label&name=", None),
            "what to label next": ("fields", {"size": 60, "sort": "most useful"}),
            "one label saved": ("corrections", {"entries": [note]}),
        }
        for name, (path, content) in questions.items():
            times = [ask(address, path, content)[0] for _ in range(3)]
            print(f"{name}: {times[0]:.2f} s, again {min(times):.2f} s")
        status = Path(f"/proc/{server.pid}/status").read_text()
        print(next(line for line in status.splitlines() if line.startswith("VmHWM")))
        cpu = sum(map(int, Path(f"/proc/{server.pid}/stat").read_text().split()[13:15])) / 100
        print(f"CPU of the server in all: {cpu:.0f} s")
        server.kill()


if __name__ == "__main__":
    main()
