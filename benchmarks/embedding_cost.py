"""What the embedding costs beside the classical families: CPU time of real fields on one thread.

    python -m benchmarks.embedding_cost FIELDS [--cells 20 35] [--repeats 6] [--against CHECKOUT]

FIELDS is a folder or zip of fields, e.g. DATA/train; those whose number of cells lies in the range are measured. The
speed of a shared machine varies by two within an hour, so two things are measured in turn: on each field the embedding
and the default families, and, with `--against`, the code here and that in the folder of another checkout. Printed are
the least and the median, over the repeats, of the mean over the fields.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from benchmarks.time_families import fresh
from features import measure_families
from features.core.cells import Cells
from features.core.device import open_device
from features.embedding.embedding import embed_cells
from features.embedding.pretrained import pretrained_network
from features.extraction.batches import ReadField, cells_in, read_pixels
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields

HERE = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PARTS = ("embedding", "default families")


def cells_of(fields: Path, least: int, most: int) -> Iterator[Cells]:
    """The cells of each field that has from `least` to `most` of them."""
    device, source, settings = open_device("cpu"), find_fields(fields), ExtractSettings(None, "cpu")
    for field_id in source.ids:
        read = read_pixels(source, field_id, settings)
        cells = cells_in([read], device) if isinstance(read, ReadField) else None
        if cells is not None and least <= cells.n <= most:
            yield cells


def measure(fields: list[Cells]) -> list[float]:
    """CPU ms a field of each of PARTS, measured in turn on each field."""
    network, totals = pretrained_network(), [0.0, 0.0]
    if network is None:
        raise SystemExit("the pretrained network is not installed")
    for one in fields:
        cells = fresh(one)
        assert cells.regions  # the pixel lists that both use
        marks = [time.process_time()]
        embed_cells(cells, network)
        marks.append(time.process_time())
        measure_families(cells)
        marks.append(time.process_time())
        totals = [total + end - start for total, start, end in zip(totals, marks, marks[1:], strict=False)]
    return [1000 * total / len(fields) for total in totals]


def work(given: argparse.Namespace) -> None:
    """Print the number of fields, then, for each line on stdin, their times as JSON."""
    cv2.setNumThreads(1)
    fields = list(cells_of(given.fields, *given.cells))
    measure(fields)  # compiles
    print(len(fields), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure(fields)), flush=True)


class Worker:
    """A process that measures with a checkout's code when asked."""

    def __init__(self, checkout: Path, given: argparse.Namespace) -> None:
        asked = [str(given.fields.resolve()), "--cells", *map(str, given.cells), "--work"]
        paths = {"PYTHONPATH": str(checkout.resolve()), "PYTHONSAFEPATH": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, *asked], env=os.environ | ONE_THREAD | paths, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.n_fields = int(self._answer())

    def ask(self) -> list[float]:
        """CPU ms a field of each of PARTS."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the measuring process ended without an answer")
        return line


def main() -> None:
    """Print the table after the last repeat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields", type=Path)
    parser.add_argument("--cells", type=int, nargs=2, default=(20, 35), metavar=("LEAST", "MOST"))
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given)
        return
    workers = {"here": Worker(HERE, given)} | ({"other": Worker(given.against, given)} if given.against else {})
    found: dict[tuple[str, str], list[float]] = {(code, part): [] for code in workers for part in PARTS}
    for _ in range(given.repeats):
        for code, worker in workers.items():
            for part, ms in zip(PARTS, worker.ask(), strict=True):
                found[code, part].append(ms)
    print(f"{workers['here'].n_fields} fields, CPU ms a field\n| code | part | least | median |\n|---|---|--:|--:|")
    for (code, part), times in found.items():
        print(f"| {code} | {part} | {min(times):.1f} | {sorted(times)[len(times) // 2]:.1f} |")


if __name__ == "__main__":
    main()
