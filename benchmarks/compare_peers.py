"""Values a cell, time a field and peak memory of our features and of the peers', on the same fields and masks.

    python -m benchmarks.compare_peers REAL_DIR [--cells 20 150] [--repeat 3]

REAL_DIR holds <Id>_{red,green,blue,yellow}.png (Kaggle's train folder). For each wanted number of cells the field that
comes nearest is taken. Every library runs in a process of its own, one thread, one after the other; the time is the
least CPU time of the repeats after one run that does not count (compilation). Prints a table in Markdown.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def ours(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> int:
    """All families; a new batch each time, so that distance maps and pixel lists are paid for."""
    import features

    return features.measure(pixels, cells, nuclei).shape[1]


def cp_measure(pixels: np.ndarray, *masks: np.ndarray) -> int:
    """All measurements of one mask and of pairs of channels, with Numba, on each of the masks."""
    from cp_measure import set_accelerator
    from cp_measure.featurizer import featurize, make_featurizer_config

    from store.channels import CHANNELS

    set_accelerator("numba")
    names = [channel.name for channel in CHANNELS]
    n_values = 0
    for mask in masks:
        config = make_featurizer_config(names, objects=["object"], correlation_costes_params={"scale_max": 255})
        n_values += len(featurize(pixels[None] / 255.0, mask[None, None], config)[1])
    return n_values


def cp_measure_cells(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> int:
    """cp_measure on the cell mask."""
    return cp_measure(pixels, cells)


def cp_measure_both(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> int:
    """cp_measure on cell and nucleus masks: the fair comparison for our catalogue."""
    return cp_measure(pixels, cells, nuclei)


def mahotas_haralick(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> int:
    """Haralick's features alone: 64 levels, 3 distances, 4 directions, every channel."""
    from mahotas.features import haralick
    from scipy.ndimage import find_objects

    n_values = 0
    for label, window in enumerate(find_objects(cells), 1):
        mine = cells[window] == label
        n_values = 0
        for plane in pixels:
            levels = np.where(mine, 1 + plane[window].astype(int) * 63 // max(int(plane[window][mine].max()), 1), 0)
            for distance in (1, 2, 4):
                try:
                    n_values += haralick(levels, ignore_zeros=True, distance=distance).size
                except ValueError:  # a cell too small to have a pair at this distance in every direction
                    n_values += 52
    return n_values


def scikit_image(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> int:
    """Every property of regionprops that is a number, with all channels as intensities."""
    from skimage.measure import regionprops_table
    from skimage.measure._regionprops import COL_DTYPES

    pictures = {"coords", "coords_scaled", "image", "image_convex", "image_filled", "image_intensity", "slice"}
    names = [name for name in COL_DTYPES if name not in pictures]
    return len(regionprops_table(cells, pixels.transpose(1, 2, 0), properties=names))


PEERS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray, np.ndarray], int]]] = {
    "ours": ("hpa-boost, all families", ours),
    "cp-cells": ("cp_measure with Numba, cell mask", cp_measure_cells),
    "cp-both": ("cp_measure with Numba, cell and nucleus masks", cp_measure_both),
    "mahotas": ("mahotas, Haralick alone", mahotas_haralick),
    "skimage": ("scikit-image, regionprops_table", scikit_image),
}


def measure(peer: str, field: Path, repeat: int) -> dict[str, float]:
    """Run one peer on one field in this process."""
    warnings.simplefilter("ignore")
    arrays = np.load(field)
    planes = arrays["pixels"], arrays["cells"], arrays["nuclei"]
    run = PEERS[peer][1]
    n_values, seconds = run(*planes), []
    for _ in range(repeat):
        start = time.process_time()
        run(*planes)
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"values": n_values, "ms": 1e3 * min(seconds), "mib": peak}


def choose_fields(folder: Path, wanted: list[int], to: Path) -> list[tuple[int, Path]]:
    """Segment the folder's fields; save those that come nearest to the wanted numbers of cells."""
    from engine.errors import FieldError
    from features.reading.field_reading import read_field
    from features.reading.fields import find_fields
    from features.segmentation.segment import segment

    found = {}
    source = find_fields(folder)
    for name in source.ids:
        try:
            pixels = read_field(source, name)
            found[name] = (pixels, segment(pixels, name))
        except FieldError as error:
            print(f"left out: {error}", file=sys.stderr)
    chosen = []
    for n in wanted:
        name = min(found, key=lambda key: abs(found[key][1].n - n))
        pixels, cells = found[name]
        path = to / f"{n}.npz"
        np.savez(path, pixels=pixels, cells=cells.cells, nuclei=cells.nuclei)
        chosen.append((cells.n, path))
    return chosen


def compare(folder: Path, wanted: list[int], repeat: int) -> None:
    """Print the table."""
    print("| library | cells | values a cell | ms a field | times ours | peak MiB |\n|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        with ProcessPoolExecutor(1, get_context("spawn")) as other:  # a child's peak memory starts at its parent's
            fields = other.submit(choose_fields, folder, wanted, Path(scratch)).result()
        for n_cells, field in fields:
            base = None
            for peer, (title, _) in PEERS.items():
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.compare_peers",
                    "--peer",
                    peer,
                    "--field",
                    str(field),
                    "--repeat",
                    str(repeat),
                ]
                answer = subprocess.run(command, env=os.environ | THREADS, capture_output=True, text=True, check=True)
                row = json.loads(answer.stdout.splitlines()[-1])
                base = base or row["ms"]
                ratio = row["ms"] / base
                print(f"| {title} | {n_cells} | {row['values']} | {row['ms']:.0f} | {ratio:.1f} | {row['mib']:.0f} |")


def main() -> None:
    """Read the arguments; with --peer, be the process of one peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="REAL_DIR")
    parser.add_argument("--cells", type=int, nargs="+", default=[20, 150], help="numbers of cells in a field")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--field", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        print(json.dumps(measure(given.peer, given.field, given.repeat)))
    elif given.folder:
        compare(given.folder, given.cells, given.repeat)
    else:
        parser.error("REAL_DIR is missing: the folder with <Id>_{red,green,blue,yellow}.png")


if __name__ == "__main__":
    main()
