"""Files of the images' folders that no field uses: listed with their reasons, and counted in the result."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.counted import counted
from engine.files import write_csv
from features.reading.archive import Unused
from features.reading.mask_files import masks_in_words
from features.reading.source import FieldSource
from store.schema import UNUSED

_REASONS_SHOWN = 3


def list_unused(path: Path, sources: Iterable[FieldSource]) -> list[str]:
    """Write the files that are not used into a csv table; returns the message about them, if there are any."""
    unused = [file for source in sources for file in source.unused]
    write_csv(path, UNUSED, [(file.path, file.reason) for file in unused])
    if not unused:
        return []
    return [f"{counted(len(unused), 'file')} not used, see {path}: {reasons_in_words(unused)}"]


def reasons_in_words(unused: Sequence[Unused]) -> str:
    """The most common reasons, each with a file."""
    first = {file.reason: file.path for file in reversed(unused)}
    by_reason = Counter(file.reason for file in unused).most_common()
    words = [f"{n:,} x {reason} ({Path(first[reason]).name})" for reason, n in by_reason]
    return "; ".join([*words[:_REASONS_SHOWN], *(["others"] if len(words) > _REASONS_SHOWN else [])])


def found_fields(sources: Iterable[FieldSource]) -> str:
    """The first message of a command that reads images: how many fields it has found, and where."""
    all_sources = list(sources)
    parts = [part for source in all_sources for part in _places_of(source)]
    masks = f"; {masks_in_words(all_sources)}" if any(source.masks is not None for source in all_sources) else ""
    return f"found {' and '.join(parts)}{masks}"


def _places_of(source: FieldSource) -> list[str]:
    """How many fields are in the folder, and how many in the zip beside it."""
    if source.options.images:
        return [f"{counted(len(source.ids), 'field')} in {source.path}"]
    n_in = Counter(files[0].member.source for files in source.files.values())
    return [f"{counted(n, 'field')} in {path}" for path, n in sorted(n_in.items())]
