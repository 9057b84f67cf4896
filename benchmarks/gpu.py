"""Fields a second on a GPU: decoding, segmentation, each family, the whole; bytes moved; the fit against the CPU's.

    python -m benchmarks.gpu [FOLDER] [--device cuda] [--fields 256] [--threads 16]

FOLDER holds images (simulated without it). They are multiplied to `--fields` by random flips, quarter turns and gains.
Cells and families are timed, families with what they share at hand, from launch to the end of the work on the GPU, the
least of three. A part that fails is named, and the others go on. Prints the versions of what the machine has; needs no
network.
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

import features
from benchmarks.parity import attempted, found_or_simulated, read
from benchmarks.synthetic import synthetic_matrix
from engine.errors import UsageError
from features.core.cells import Cells
from features.core.device import Device, open_device
from features.extraction.batches import ReadField, cells_in, launch, read_one, read_pixels
from features.extraction.measuring import measure_shards
from features.extraction.settings import ExtractSettings
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.source import FieldSource
from features.segmentation.segment import find_cells
from models.first_level.defaults import default_parameters
from models.first_level.members import member
from store.channels import CHANNELS
from store.shards import plan_shards

BATCHES = (8, 32, 64, 128)
SETTINGS = ExtractSettings(None, "cuda")
SHARED = ("regions", "values_by_compartment", "nucleus_diameter", "nucleus_centres", "n_crop_pixels")
DISTANCES = ("distance_to_cell_border", "distance_inside_nucleus", "distance_to_nucleus")
PACKAGES = ("numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "xgboost", "lightgbm", "opencv-python-headless")


def seconds(work: Callable[[], object], wait: Callable[[], object], repeats: int = 3) -> float:
    """Least wall time from the call to the end of all work on the device, after one call that compiles."""
    work()
    times = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return min(times)


def wait_for(device: Device) -> Callable[[], object]:
    """What waits until the device has done all that was launched."""
    if device.name == "cpu":
        return lambda: None
    return device.xp.cuda.runtime.deviceSynchronize


def multiplied(fields: list[ReadField], n: int, rng: np.random.Generator) -> list[ReadField]:
    """Fields turned, mirrored and brightened at random; their cells go with them."""
    out = []
    for k in range(n):
        one = fields[k % len(fields)]
        turns, mirrored, gain = int(rng.integers(4)), bool(rng.integers(2)), rng.uniform(0.7, 1.3)
        images = [np.rot90(image, turns, axes=(-2, -1)) for image in (one.pixels, *one.labels)]
        images = [np.ascontiguousarray(image[..., ::-1] if mirrored else image) for image in images]
        top = np.iinfo(images[0].dtype).max
        pixels = np.clip(images[0] * gain, 0, top).astype(images[0].dtype)
        out.append(ReadField(one.row, pixels, tuple(images[1:])))
    return out


def print_reading(source: FieldSource, n: int, threads: int) -> None:
    """Fields a second of decoding, then with the field-level features, then with cells, on a number of threads."""
    ids = [source.ids[k % len(source.ids)] for k in range(n)]
    settings = ExtractSettings(None, "cpu")
    for what, work in (
        ("decode four PNGs", lambda i: read_field(source, i)),
        ("decode, measure the field", lambda i: read_pixels(source, i, settings)),
        ("decode, measure the field, find its cells", lambda i: read_one(source, i, settings)),
    ):
        with ThreadPoolExecutor(threads, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
            list(pool.map(work, ids[:threads]))
            start = time.perf_counter()
            list(pool.map(work, ids))
            print(f"| {what}, {threads} threads | {n / (time.perf_counter() - start):.0f} |", flush=True)


def on_device(batch: list[ReadField], device: Device) -> Cells:
    """A batch on the device, with everything that families share."""
    cells = cells_in(batch, device)
    for name in (*SHARED, *DISTANCES):
        getattr(cells, name)
    return cells


def finding(batch: list[ReadField], device: Device) -> Callable[[], object]:
    """The finding of a batch's cells, its pixels being on the device."""
    pixels = device.put(np.stack([field.pixels for field in batch]))
    return lambda: find_cells(pixels, device)


def sharing(batch: list[ReadField], device: Device) -> Callable[[], object]:
    """Bringing a batch, and the maps that families share."""
    return lambda: on_device(batch, device)


def measuring(name: str, batch: list[ReadField], device: Device) -> Callable[[], object]:
    """A family on a batch, with all that it shares at hand."""
    cells = on_device(batch, device)
    return lambda: features.measure_families(cells, name)


def all_of_it(batch: list[ReadField], device: Device) -> Callable[[], object]:
    """From pixels on the host to values on the host."""
    unknown = [ReadField(field.row, field.pixels) for field in batch]  # its cells are to be found
    return lambda: [device.get(array) for array in launch(unknown, SETTINGS, device).arrays]


def print_families(fields: list[ReadField], sizes: list[int], device: Device) -> bool:
    """ms a batch for each family and batch size, and fields a second of the whole; False if one fails."""
    parts = {"find cells": finding, "bring, shared maps": sharing}
    parts |= {name: partial(measuring, name) for name in features.families()}
    parts["whole batch and back"] = all_of_it
    print("\n| ms a batch of | " + " | ".join(map(str, sizes)) + " |\n|---|" + "--:|" * len(sizes))
    done = [attempted(name, partial(print_times, name, part, fields, sizes, device)) for name, part in parts.items()]
    return all(done)


def print_times(name: str, part: Callable, fields: list[ReadField], sizes: list[int], device: Device) -> None:
    """A line of ms a batch; of the whole, also fields a second."""
    times = [seconds(part(fields[:size], device), wait_for(device)) for size in sizes]
    print(f"| {name} | " + " | ".join(f"{1000 * t:.4g}" for t in times) + " |", flush=True)
    if part is all_of_it:
        print(
            "| fields a second | " + " | ".join(f"{size / t:.4g}" for size, t in zip(sizes, times)) + " |", flush=True
        )


def print_bandwidth(fields: list[ReadField], device: Device) -> None:
    """Bytes that a field brings to the device and back, against what a plain copy reaches."""
    block = np.zeros(256 * 2**20, np.uint8)
    copy = block.nbytes / seconds(lambda: device.put(block), wait_for(device)) / 1e9
    cells = np.mean([field.labels[0].max() for field in fields])
    there = np.mean([field.pixels.nbytes for field in fields]) / 1e6
    back = cells * 4 * len(features.columns()) / 1e6
    print(f"\ncopy to the device {copy:.1f} GB/s; a field brings {there:.2f} MB there, {back:.2f} MB back "
          f"({cells:.0f} cells): at most {1e3 * copy / (there + back):.0f} fields a second by copying")  # fmt: skip


def write_png(field: ReadField, folder: Path, name: str) -> None:
    """Write the four channels of a field."""
    for channel in CHANNELS:
        cv2.imwrite(str(folder / f"{name}_{channel.colour}.png"), field.pixels[channel.index])


def print_extraction(fields: list[ReadField], device: Device, threads: int) -> None:
    """Fields a second from PNG files to finished shards."""
    settings = ExtractSettings(None, device.kind)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "train"
        folder.mkdir()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda k: write_png(fields[k], folder, f"f{k:05d}"), range(len(fields))))
        source = find_fields(folder)
        shards = plan_shards("train", source.ids, source.fingerprint, settings, Path(scratch) / "run")
        start = time.perf_counter()
        done = sum(n for n, _ in measure_shards(source, shards, settings, device, threads))
        rate = done / (time.perf_counter() - start)
    print(f"\nPNG files to finished shards: {rate:.0f} fields a second ({done} fields)", flush=True)


def print_fit(device: Device, rows: int, n_columns: int, rounds: int, threads: int) -> None:
    """Seconds of XGBoost's 28 organelles x 5 folds on screened columns; the CPU's from two organelles of one fold."""
    rng = np.random.default_rng(20181)
    labels = rng.random((rows, 28)) < np.geomspace(0.4, 0.0004, 28)
    values = synthetic_matrix(labels, np.arange(rows) // 4, n_columns, rng)
    seen, kind = np.flatnonzero(np.arange(rows) % 5), member("xgboost")
    asked = default_parameters("xgboost", rows, n_columns) | {"rounds": rounds, "columns": min(200, n_columns)}
    weights = np.ones(len(seen), np.float32)
    for name, organelles in ((device.name, range(28)), ("cpu", (2, 20))):
        start = time.perf_counter()
        for j in organelles:
            columns = np.sort(rng.permutation(n_columns)[: asked["columns"]])
            prepared = kind.prepare(values[np.ix_(seen, columns)], asked, name)
            kind.train(prepared, labels[seen, j], weights, asked, seed=j)
        each = (time.perf_counter() - start) / len(organelles)
        side = 1 if name != "cpu" else threads
        print(
            f"XGBoost, {rows} x {len(columns)} of {n_columns}, {asked['rounds']} rounds, {name}: {each:.2f} s an "
            f"organelle ({len(organelles)} timed); 28 x 5 with {side} at a time make {5 * 28 * each / side:.0f} s",
            flush=True,
        )


def versions() -> str:
    """What the machine has."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"Python {platform.python_version()}, " + ", ".join(found)


def main() -> int:
    """Print everything, the quick parts first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--fields", type=int, default=256)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--rows", type=int, default=31072)
    parser.add_argument("--columns", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    try:
        device = open_device(given.device)
    except UsageError as error:
        parser.error(str(error))
    print(f"{device.name}; {versions()}\n\n| | fields a second |\n|---|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        source = found_or_simulated(given.folder, 32, Path(scratch))
        print_reading(source, given.fields, given.threads)
        fields = multiplied(read(source, 64), given.fields, np.random.default_rng(0))
    done = [
        print_families(fields, [size for size in given.batches if size <= len(fields)], device),
        attempted("copies", lambda: print_bandwidth(fields, device)),
        attempted("extraction", lambda: print_extraction(fields, device, given.threads)),
        attempted("fit", lambda: print_fit(device, given.rows, given.columns, given.rounds, given.threads)),
    ]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
