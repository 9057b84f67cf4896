"""The same fields and matrix on the CPU and on a GPU: largest differences of cells, of each family, and of the fit.

    python -m benchmarks.parity [FOLDER] [--device cuda] [--fields 16]

FOLDER holds images; without it fields are simulated. Families measure the cells that the CPU finds on either device.
Ends with exit code 1 if a pixel of a label image differs, a value by more than 1e-5 of the CPU's (1e-6 near 0), or a
score of the fit by more than 0.05; and if a part fails, after the other parts.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import features
from benchmarks.synthetic import synthetic_matrix
from engine.errors import UsageError
from features.core.device import Device, open_device
from features.extraction.batches import ReadField, batches, cells_in, read_one
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from features.reading.source import FieldSource
from features.segmentation.segment import find_cells
from models.first_level.defaults import default_parameters
from models.first_level.members import member
from simulate import simulate

RELATIVE, ABSOLUTE, LOG_ODDS = 1e-5, 1e-6, 0.05


@dataclass(frozen=True)
class Difference:
    """How far the values of a GPU are from those of the CPU.

    Attributes
    ----------
    largest : float
        Of |difference| / (1e-6 + 1e-5 |CPU's value|): at most 1 is within bounds.
    share_equal : float
        Of values with the same bits, NaN counted as equal to NaN.
    n_nan : int
        Values that are NaN on one device only.
    """

    largest: float
    share_equal: float
    n_nan: int

    @property
    def within_bounds(self) -> bool:
        """Whether all values agree."""
        return self.largest <= 1 and not self.n_nan


def difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Compare the CPU's values with another device's."""
    either, both = np.isnan(ours) | np.isnan(theirs), np.isnan(ours) & np.isnan(theirs)
    a, b = np.where(either, 0, ours).astype(float), np.where(either, 0, theirs).astype(float)
    bound = ABSOLUTE + RELATIVE * abs(a)
    return Difference(
        float((abs(a - b) / bound).max(initial=0)),
        float(((ours == theirs) | both).mean()) if ours.size else 1.0,
        int((either & ~both).sum()),
    )


def found_or_simulated(folder: Path | None, n_fields: int, scratch: Path) -> FieldSource:
    """The fields of a folder, or simulated ones in an empty folder."""
    if folder is None:
        simulate(scratch, n_fields, 0, 512, 0, 1, lambda *_: None)
    return find_fields(folder or scratch / "train")


def read(source: FieldSource, n_fields: int) -> list[ReadField]:
    """The first fields of a source that can be read, with their cells."""
    settings = ExtractSettings(None, "cpu")
    return [one for one in (read_one(source, i, settings) for i in source.ids[:n_fields]) if isinstance(one, ReadField)]


def differing_pixels(fields: list[ReadField], gpu: Device) -> list[int]:
    """Pixels that belong to another cell, and to another nucleus, if the GPU finds the cells."""
    counts = np.zeros(2, np.int64)
    for batch in batches(fields, gpu):
        found = map(gpu.get, find_cells(gpu.put(np.stack([field.pixels for field in batch])), gpu))
        ours = map(np.stack, zip(*(field.labels for field in batch)))
        counts += [np.count_nonzero(a != b) for a, b in zip(ours, found)]
    return counts.tolist()


def family_difference(name: str, fields: list[ReadField], cpu: Device, gpu: Device) -> Difference:
    """Largest difference of a family over all batches."""
    ours, theirs = (
        np.concatenate([device.get(features.families()[name].measure(cells_in(batch, device)))
                        for batch in batches(fields, gpu)])
        for device in (cpu, gpu)
    )  # fmt: skip
    return difference(ours, theirs)


def fit_difference(device: str, rows: int = 4000, columns: int = 200, rounds: int = 100) -> float:
    """Largest difference of XGBoost's log-odds between the devices, over three organelles of a synthetic matrix."""
    rng = np.random.default_rng(20181)
    labels = rng.random((rows, 3)) < (0.3, 0.05, 0.01)
    values = synthetic_matrix(labels, np.arange(rows), columns, rng)
    kind, weights, largest = member("xgboost"), np.ones(rows, np.float32), 0.0
    asked = default_parameters("xgboost", rows, columns) | {"rounds": rounds, "subsample": 1.0, "colsample_bynode": 1.0}
    prepared = {name: kind.prepare(values, asked, name) for name in ("cpu", device)}
    for j in range(labels.shape[1]):
        ours, theirs = (
            kind.score(kind.train(prepared[name], labels[:, j], weights, asked, seed=j), values)
            for name in ("cpu", device)
        )
        largest = max(largest, float(abs(ours - theirs).max()))
    return largest


def attempted(what: str, work: Callable[[], bool | None]) -> bool:
    """Do one part; where it fails, say how and give False, so that the parts after it are seen too."""
    try:
        return work() is not False
    except Exception:
        traceback.print_exc()
        print(f"{what}: FAILED", flush=True)
        return False


def print_cells(fields: list[ReadField], gpu: Device) -> bool:
    """Compare the label images; False if they differ."""
    cells, nuclei = differing_pixels(fields, gpu)
    print(f"pixels of another cell {cells}, of another nucleus {nuclei} (bound 0)\n")
    return cells == nuclei == 0


def print_family(name: str, fields: list[ReadField], cpu: Device, gpu: Device) -> bool:
    """Compare a family; False if it is out of bounds."""
    found = family_difference(name, fields, cpu, gpu)
    print(f"| {name} | {found.largest:.3g} | {100 * found.share_equal:.2f} % | {found.n_nan} |", flush=True)
    return found.within_bounds


def print_fit(gpu: Device) -> bool:
    """Compare XGBoost's scores; False if they are out of bounds."""
    largest = fit_difference(gpu.name)
    print(f"\nXGBoost, largest difference of the log-odds: {largest:.2g} (bound {LOG_ODDS})")
    return largest <= LOG_ODDS


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--fields", type=int, default=16)
    given = parser.parse_args()
    try:
        cpu, gpu = open_device("cpu"), open_device(given.device)
    except UsageError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as scratch:
        fields = read(found_or_simulated(given.folder, given.fields, Path(scratch)), given.fields)
    print(
        f"{len(fields)} fields of {given.folder.name if given.folder else 'a simulation'}, {gpu.name} against the CPU\n"
    )
    agree = [attempted("cells", lambda: print_cells(fields, gpu))]
    print("| family | largest difference / bound | values with equal bits | NaN on one side |\n|---|--:|--:|--:|")
    for name in features.families():
        agree.append(attempted(name, lambda name=name: print_family(name, fields, cpu, gpu)))
    agree.append(attempted("fit", lambda: print_fit(gpu)))
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
