"""CPU time of each step from PNG files to features on real fields: reading, cells, what families share, each family.

    python -m benchmarks.time_families [--source DIR] [--fields ID ...] [--against mahotas] [--all-columns]

Each family is measured `--repeats` times on each field and the least CPU time counts: a busy machine only ever adds.
What families share (pixel lists, values, distance maps) is timed apart, each time from the start, so that the total is
that of a field. All fields are measured once before: where a process uses memory for the first time, it pays some
milliseconds. `--against mahotas` times mahotas' texture on the same cells and distances in the same process.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # as in extraction's workers

import mahotas
import numpy as np

import features
from features.core.cells import Cells, make_cells
from features.core.device import Device, open_device
from features.extraction.field_level import measure_field
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import segment
from store.channels import CHANNELS

SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "hpa-sample" / "train"
TWENTY_CELLS, MANY_CELLS = "37d480c2-bbbf-11e8-b2ba-ac1f6b6435d0", "41d15cbe-bbb3-11e8-b2ba-ac1f6b6435d0"
SHARED = (
    "centres",
    "regions",
    "values_by_compartment",
    "distance_to_cell_border",
    "distance_inside_nucleus",
    "distance_to_nucleus",
)


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """Least CPU time of a call in ms, after one call that compiles."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def load(source: Path, field: str, device: Device) -> Cells:
    """Read and segment one field."""
    pixels = read_field(find_fields(source), field)
    found = segment(pixels, field)
    return make_cells(pixels[None], found.cells[None], found.nuclei[None], device)


def fresh(cells: Cells) -> Cells:
    """The same batch with nothing cached."""
    return Cells(cells.pixels, cells.cell_labels, cells.nucleus_labels, cells.field, cells.boxes, cells.device)


def field_times(source: Path, field: str, repeats: int) -> dict[str, float]:
    """CPU ms of what is done on the host before cells are measured."""
    fields = find_fields(source)
    pixels = read_field(fields, field)
    return {
        "read and decode": cpu_ms(lambda: read_field(fields, field), repeats),
        "segmentation": cpu_ms(lambda: segment(pixels, field), repeats),
        "measures of the field": cpu_ms(lambda: measure_field(pixels), repeats),
    }


def shared_times(cells: Cells, repeats: int) -> dict[str, float]:
    """CPU ms of what families share; the values need the pixel lists, and are given without them."""
    times = {name: cpu_ms(lambda name=name: getattr(fresh(cells), name), repeats) for name in SHARED}
    times["values_by_compartment"] -= times["regions"]
    return times


def family_times(cells: Cells, repeats: int, all_columns: bool) -> dict[str, float]:
    """CPU ms of each family, with what is shared at hand."""
    for name in SHARED:
        getattr(cells, name)
    return {
        name: cpu_ms(lambda name=name: features.measure_families(cells, name, all_columns=all_columns), repeats)
        for name in features.families()
    }


def print_table(title: str, times: dict[str, float], n_columns: dict[str, int]) -> None:
    """One line a step: CPU ms, columns, ms a column."""
    print(f"\n{title}\n{'':26}{'CPU ms':>8}{'columns':>9}{'µs/column':>11}")
    for name, ms in times.items():
        columns = n_columns.get(name, 0)
        print(f"{name:26}{ms:8.2f}" + (f"{columns:9}{1000 * ms / columns:11.1f}" if columns else ""))
    total = sum(n_columns.values())
    print(f"{'total':26}{sum(times.values()):8.2f}{total:9}{1000 * sum(times.values()) / total:11.1f}")


def mahotas_ms(cells: Cells, repeats: int) -> float:
    """CPU ms of mahotas' Haralick features: four channels in the cell, 32 levels, distances 1, 2 and 4."""
    crops = []
    for i, (top, left, bottom, right) in enumerate(cells.boxes):
        window = (cells.field[i], slice(top, bottom), slice(left, right))
        for channel in CHANNELS:
            plane = cells.pixels[:, channel.index][window].astype(np.int32)
            crops.append(np.where(cells.cell_labels[window] == i + 1, 1 + plane * 32 // (plane.max() + 1), 0))

    def work() -> None:
        for crop in crops:
            for distance in (1, 2, 4):
                mahotas.features.haralick(crop, ignore_zeros=True, return_mean_ptp=True, distance=distance)

    return cpu_ms(work, repeats)


def main() -> None:
    """Print the times of each family on each field."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=SAMPLE, help="folder or zip of fields (default: %(default)s)")
    parser.add_argument("--fields", nargs="+", default=[TWENTY_CELLS, MANY_CELLS], metavar="ID", help="field ids")
    parser.add_argument("--repeats", type=int, default=15, help="measurements of each family (default: %(default)s)")
    parser.add_argument("--against", choices=["mahotas"], help="compare texture with mahotas")
    parser.add_argument("--all-columns", action="store_true", help="as in extract --all-columns")
    options = parser.parse_args()
    device, every = open_device("cpu"), options.all_columns
    n_columns = {name: len(features.columns(name, all_columns=every)) for name in features.families()}
    for field in options.fields:
        features.measure_families(load(options.source, field, device), all_columns=every)
    for field in options.fields:
        cells = load(options.source, field, device)
        times = field_times(options.source, field, options.repeats)
        times |= shared_times(cells, options.repeats) | family_times(cells, options.repeats, every)
        print_table(f"{field}: {cells.n} cells", times, n_columns)
        if options.against:
            theirs = mahotas_ms(cells, 3)
            print(f"mahotas, 312 columns of texture: {theirs:.1f} ms")
            print(f"texture is {theirs / times['texture']:.1f} times as fast, on {n_columns['texture']} columns")


if __name__ == "__main__":
    main()
