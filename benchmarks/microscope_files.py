"""What becomes of each real file of a microscope, with the command that `inspect` prints for its folder.

    python -m benchmarks.microscope_files FOLDER > table.md

FOLDER has a folder for each kind of files. Every field is read and its cells are found, as `extract` does. Files with
the same result share a row; files inside of an image that is a folder are that image's.
"""

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from commands.inspect import outcome
from engine.counted import counted
from engine.errors import HpaError
from features.extraction.batches import read_cells
from features.reading.inspection import inspect_images
from features.reading.options import ReadingOptions
from features.reading.source import FieldSource
from features.reading.survey import brightest_of, survey

_SHOWN = 6  # files of a row that are named


def rows(kind: Path) -> tuple[str, dict[str, list[str]]]:
    """The command for a folder, and the names of its files by result."""
    found = inspect_images(kind)
    named = [str(path.relative_to(kind)) for path in sorted(kind.rglob("*")) if path.is_file()]
    if found.source is None or found.problem or found.options is None:
        return "", {found.problem: named}
    command = outcome(kind, found, None).next_command.partition(" extract ")[2]
    unused = {str(Path(file.path).relative_to(kind)): file.reason for file in found.source.unused}
    results: dict[str, list[str]] = {}
    for field_id, result in _fields(found.source, found.options):
        names = results.setdefault(result, [])
        files = dict.fromkeys(file.member.name for file in found.source.files[field_id])
        names += [name for name in files if name not in names and name not in unused]
    for name, reason in unused.items():
        results.setdefault(f"not used: {reason}", []).append(name)
    return command.replace(f"{kind.parent}/", ""), results


def _fields(source: FieldSource, options: ReadingOptions) -> Iterator[tuple[str, str]]:
    """Each field, and how many cells it has or why it cannot be measured."""
    try:
        acquisition = survey([source], options, lambda: brightest_of(source))
    except HpaError as error:
        yield from ((field_id, str(error)) for field_id in source.ids)
        return
    scaled = replace(source, scale=acquisition.scale)
    for field_id in scaled.ids:
        try:
            _, cells = read_cells(scaled, field_id)
            yield field_id, f"field {field_id}: {counted(cells.n, 'cell')}"
        except HpaError as error:
            yield field_id, str(error)


def main() -> None:
    """Print a table a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    print("| files | what becomes of them |\n|---|---|")
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        command, results = rows(kind)
        print(f"| **{kind.name}** | {f'`extract {command}`' if command else 'no command'} |")
        for result, names in results.items():
            shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
            print(f"| {shown} | {result.replace('|', '/')} |")


if __name__ == "__main__":
    main()
