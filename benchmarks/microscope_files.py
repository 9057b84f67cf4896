"""What becomes of real files of microscopes: for each folder, the command that `inspect` prints, and its fields.

    python -m benchmarks.microscope_files FOLDER > table.md

FOLDER has a folder for each kind of files. Every field is read and its cells are found, as `extract` does.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from commands.inspect import outcome
from engine.errors import HpaError
from features.extraction.batches import read_cells
from features.reading.inspection import inspect_images
from features.reading.survey import brightest_of, survey


def rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Kind, command and result of each folder."""
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = inspect_images(kind)
        said = outcome(kind, found, None)
        command = said.next_command.partition(" extract ")[2].replace(str(folder), "").replace("/", "", 1)
        if found.source is None or found.problem or found.options is None:
            yield kind.name, "", found.problem
            continue
        source = found.source
        try:
            acquisition = survey([source], found.options, lambda source=source: brightest_of(source))
        except HpaError as error:
            yield kind.name, command, str(error)
            continue
        scaled = replace(source, scale=acquisition.scale)
        results = []
        for field_id in scaled.ids:
            try:
                _, cells = read_cells(scaled, field_id)
                results.append(f"{field_id}: {cells.n} cells")
            except HpaError as error:
                results.append(str(error))
        yield kind.name, command, "; ".join(results)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    print("| files | `extract` with | fields |\n|---|---|---|")
    for kind, command, result in rows(folder):
        shown = f"`{command}`" if command else ""
        print(f"| {kind} | {shown} | {result.replace('|', '/')} |")


if __name__ == "__main__":
    main()
