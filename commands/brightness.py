"""The brightest pixel of a data set, found once: from it follows the bit depth of files that do not state theirs."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import InputError
from engine.files import digest, read_json, write_json
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.reading.source import FieldSource
from features.reading.survey import brightest_of

_FIELDS_A_TASK = 64


def brightest(sources: Sequence[FieldSource], folder: Path, workers: int, quiet: bool) -> int:
    """Read all fields once and give their brightest pixel; remembered in a folder while the files are the same."""
    path = folder / "brightest.json"
    mark = digest([source.fingerprint(source.ids) for source in sources])
    try:
        known = read_json(path) if path.is_file() else None
    except InputError:  # damaged: found again
        known = None
    if isinstance(known, dict) and known.get("stamp") == mark and isinstance(known.get("brightest"), int):
        return known["brightest"]
    tasks = [
        (source.part(source.ids[k : k + _FIELDS_A_TASK]),)
        for source in sources
        for k in range(0, len(source.ids), _FIELDS_A_TASK)
    ]
    found = 0
    with progress("levels", sum(len(source.ids) for source in sources), "fields", quiet) as bar:
        for n_fields, value in run_tasks(_counted, tasks, workers):
            found = max(found, value)
            bar.advance(n_fields)
    write_json(path, {"stamp": mark, "brightest": found})
    return found


def _counted(source: FieldSource) -> tuple[int, int]:
    return len(source.ids), brightest_of(source)
