"""How a command ended, for people and for machines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.counted import counted


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    lines : tuple of str
        For the user: counts, and where the result is.
    next_command : str
        What to type next, or "".
    facts : dict
        The same as data, for --json.
    n_failed : int
        Fields that could not be used.
    failure : str
        The same in a sentence, or "".
    none_usable : bool
        Whether these were all fields.
    """

    lines: tuple[str, ...]
    next_command: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    n_failed: int = 0
    failure: str = ""
    none_usable: bool = False


def failure_of(failures: Sequence[str], n_fields: int, listed: Path) -> str:
    """How many fields failed, where they are listed, and the reason of the first; "" where none failed."""
    if not failures:
        return ""
    return f"{len(failures)} of {counted(n_fields, 'field')} failed (see {listed}). The first one: {failures[0]}"
