"""Files of the images' folders that no field uses: listed with their reasons, and counted in the result."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from engine.counted import counted
from engine.files import write_csv
from features.reading.fields import FieldSource
from store.schema import UNUSED

_REASONS_SHOWN = 3


def list_unused(path: Path, sources: Iterable[FieldSource]) -> list[str]:
    """Write the files that are not used into a csv table; returns the message about them, if there are any."""
    unused = [file for source in sources for file in source.unused]
    write_csv(path, UNUSED, [(file.path, file.reason) for file in unused])
    if not unused:
        return []
    first = {file.reason: file.path for file in reversed(unused)}
    by_reason = Counter(file.reason for file in unused).most_common()
    shown = [f"{n:,} x {reason} ({Path(first[reason]).name})" for reason, n in by_reason]
    more = ["others"] if len(shown) > _REASONS_SHOWN else []
    return [f"{counted(len(unused), 'file')} not used, see {path}: {'; '.join([*shown[:_REASONS_SHOWN], *more])}"]
