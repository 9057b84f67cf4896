"""Draw the outlines of cells and nuclei over the fields of a folder or zip, to be looked at.

    python -m benchmarks.outlines DATA_DIR OUT_DIR [--scale 2] [--nuclei] [--limit 12]

Writes OUT_DIR/<Id>.png for each field, contact sheets sheet_00.png ... of 12 fields, and counts.csv (Id, cells, CPU
seconds of reading and of segmentation). Colours are HPA's, brightened; cells are white, nuclei cyan. With --nuclei the
nucleus channel alone, in grey, with the nuclei in yellow: to count merged and split ones.
"""

import argparse
import csv
import time
from pathlib import Path

import cv2
import numpy as np

from engine.errors import FieldError
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import Segmentation, segment
from report.drawing import brightened, edges, in_colour
from store.channels import NUCLEUS

CELL, NUCLEUS_EDGE, NUCLEUS_ONLY = (255, 255, 255), (255, 255, 0), (0, 255, 255)  # blue, green, red
TILE, COLUMNS, ROWS = 460, 4, 3


def draw(pixels: np.ndarray, found: Segmentation, scale: float, nuclei_only: bool) -> np.ndarray:
    """The field with its outlines, BGR uint8, `scale` times its size."""
    size = tuple(round(scale * side) for side in pixels.shape[:0:-1])
    cells, nuclei = (cv2.resize(x, size, interpolation=cv2.INTER_NEAREST) for x in (found.cells, found.nuclei))
    kind = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    if nuclei_only:
        grey = cv2.resize(brightened(pixels[NUCLEUS.index]).astype(np.uint8), size, interpolation=kind)
        image = np.dstack([grey] * 3)
        image[edges(nuclei)] = NUCLEUS_ONLY
        return image
    image = cv2.resize(in_colour(pixels), size, interpolation=kind)
    image[edges(cells)] = CELL
    image[edges(nuclei)] = NUCLEUS_EDGE
    return image


def write_sheets(out: Path, names: list[str]) -> None:
    """Contact sheets of the drawn fields, each tile with its number and Id."""
    per_sheet = COLUMNS * ROWS
    for start in range(0, len(names), per_sheet):
        sheet = np.zeros((ROWS * TILE, COLUMNS * TILE, 3), np.uint8)
        for k, name in enumerate(names[start : start + per_sheet]):
            tile = cv2.resize(cv2.imread(str(out / f"{name}.png")), (TILE, TILE), interpolation=cv2.INTER_AREA)
            cv2.putText(tile, f"{start + k} {name[:36]}", (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 255, 0), 1)
            y, x = TILE * (k // COLUMNS), TILE * (k % COLUMNS)
            sheet[y : y + TILE, x : x + TILE] = tile
        cv2.imwrite(str(out / f"sheet_{start // per_sheet:02d}.png"), sheet)


def main() -> None:
    """Draw the outlines of each field into a picture of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--nuclei", action="store_true", help="nucleus channel alone")
    parser.add_argument("--limit", type=int, default=None, help="only the first fields")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    source = find_fields(options.data)
    ids = source.ids[: options.limit]
    segment(read_field(source, ids[0]), ids[0])  # compiles
    rows, drawn = [], []
    for field in ids:
        start = time.process_time()
        pixels = read_field(source, field)
        read = time.process_time()
        try:
            found = segment(pixels, field)
        except FieldError as error:
            print(error)
            continue
        rows.append((field, found.n, round(read - start, 4), round(time.process_time() - read, 4)))
        cv2.imwrite(str(options.out / f"{field}.png"), draw(pixels, found, options.scale, options.nuclei))
        drawn.append(field)
    write_sheets(options.out, drawn)
    with (options.out / "counts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("Id", "cells", "read_s", "segment_s"), *rows])
    seconds = np.median([row[2:] for row in rows], axis=0)
    print(f"{len(drawn)} of {len(ids)} fields, {sum(row[1] for row in rows)} cells; median CPU ms a field: ", end="")
    print(f"{1e3 * seconds[0]:.1f} to read, {1e3 * seconds[1]:.1f} to segment; sheets in {options.out}")


if __name__ == "__main__":
    main()
