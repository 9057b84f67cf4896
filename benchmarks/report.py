"""How heavy is report.html, and how soon is it open? A run of 28 organelles and 500 fields, or a page that is there.

    python -m benchmarks.report [PAGE] [--loads 5] [--pictures FOLDER]

Without PAGE it writes the page of a run that never was: 28 organelles that could all be learnt, all columns that this
version measures, and nine pictures an organelle of simulated fields, as large as real ones (simulated fields are noisy
and make larger JPEGs than most real ones). Prints MB, and for each load in a headless Chromium the seconds from the
start of the navigation to the end of the load event. `--pictures` keeps photographs of the whole page at 1440 and 1024
px, cards closed and open, and a PDF. Needs Chromium.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from browser import Browser, browser
from example_reports import example_report, some_importance

import features
from features.extraction.field_level import field_columns
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import segment
from report.field_picture import draw
from report.galleries import EXAMPLES
from report.page import write_report
from report.report_data import Picture, ReportData
from simulate import simulate
from store.classes import ORGANELLES
from store.columns import columns_frame
from store.matrix import matrix_columns

FIELDS, PHOTOGRAPHED = 500, 12
KINDS = ("hit", "missed", "false call")


def large_report(folder: Path) -> ReportData:
    """ReportData of 28 organelles and 500 fields with pictures of real size; simulates fields into `folder`."""
    columns = matrix_columns(columns_frame([*features.columns(), *field_columns()]))
    data = example_report(FIELDS, prefix="0a0af552-bbb7-11e8-b2ba-ac1f6b6435d0", all_learnt=True)
    jpegs = photographs(folder)
    pictures = {
        j: tuple(Picture((9 * j + k) % FIELDS, KINDS[k // EXAMPLES], jpegs[(9 * j + k) % len(jpegs)])
                 for k in range(len(KINDS) * EXAMPLES))
        for j in range(len(ORGANELLES))
    }  # fmt: skip
    importance = some_importance(columns, list(ORGANELLES), np.random.default_rng(0))
    return replace(data, columns=columns, importance=importance, pictures=pictures)


def photographs(folder: Path) -> list[bytes]:
    """Pictures of some simulated fields, as the report takes them."""
    simulate(folder, fields=PHOTOGRAPHED, test_fields=0)
    source = find_fields(folder / "train")
    pixels = [read_field(source.part([field]), field) for field in source.ids]
    return [draw(plane, segment(plane, field).cells) for plane, field in zip(pixels, source.ids, strict=True)]


def photograph(tab: Browser, page: Path, folder: Path) -> None:
    """Keep what a reader sees, cards closed and open, on two widths and on paper."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in (1440, 1024):
        tab.open(page, width)
        tab.photograph(folder / f"{width}-closed.png")
        tab.run("document.querySelector('[data-open=yes]').click()")
        tab.photograph(folder / f"{width}-open.png")
    tab.print(folder / "report.pdf")


def main() -> None:
    """Write, weigh, open."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?")
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as tab:
        page = given.page or write_report(Path(folder) / "report.html", large_report(Path(folder)))
        print(f"{page.stat().st_size / 1e6:.1f} MB")
        for _ in range(given.loads):
            tab.open(page)
            print(f"open after {tab.load_seconds():.2f} s (load of the machine {os.getloadavg()[0]:.1f})", flush=True)
        print("complaints of the browser:", "; ".join(tab.complaints) or "none")
        if given.pictures:
            photograph(tab, page, given.pictures)


if __name__ == "__main__":
    main()
