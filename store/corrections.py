"""corrections.csv: labels that people changed, beside train.csv, which is never changed. Rows are only ever appended.

Several programs may append at once, also from several machines: an append holds a lock, writes all its rows in one
piece and waits until they are on the disk. A row whose line is not finished was cut off by a kill or a full disk before
it was confirmed; the next append removes it.
"""

import csv
import hashlib
import io
import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import InputError
from engine.files import FileMark, file_mark
from engine.ids import inert, shown, why_no_id
from store.schema import CORRECTIONS

ACTIONS = ("add", "remove", "set", "unusable", "usable", "note", "undo")
BETWEEN = "|"
"""Between the names of classes in the value of "set"."""

LONGEST_NOTE = 1000  # characters
LARGEST = 2**28  # bytes of the file
PATIENCE = 20.0  # seconds to wait for another program that appends
_HEADER = ",".join(CORRECTIONS) + "\n"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Correction:
    """One row of corrections.csv.

    Attributes
    ----------
    time : str
        UTC, ISO 8601.
    by : str
        Who.
    entry : str
        A unique name of this row, so that sending it twice adds it once.
    field : str
        The field's id.
    action : str
        "add" or "remove" a class, "set" all classes, mark the field as "unusable" or "usable", "note", or "undo" an
        earlier row of the same field.
    value : str
        The class; for "set" the classes with | between; the note; the undone row's name; else "".
    """

    time: str
    by: str
    entry: str
    field: str
    action: str
    value: str = ""


@dataclass(frozen=True)
class Standing:
    """How a field stands after all its corrections.

    Attributes
    ----------
    classes : frozenset of str, or None
        None if it was never labelled.
    unusable : bool
    note : str
    relabelled : bool
        Whether its classes differ from those it had before the corrections.
    """

    classes: frozenset[str] | None
    unusable: bool = False
    note: str = ""
    relabelled: bool = False


class UnusableJournalError(InputError):
    """The file cannot be read or written as it is now; what was to be saved may be tried again."""


class Journal:
    """corrections.csv of one data folder. Safe to use from several threads; other programs may append meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._rows: list[Correction] = []
        self._entries: dict[str, Correction] = {}
        self._read = 0
        self._hash = _digest(b"")
        self._seen: FileMark | None = None
        self._unfinished = ""

    def rows(self) -> tuple[Correction, ...]:
        """All finished rows, oldest first, also those that other programs appended.

        Raises
        ------
        InputError
            If the file is a link.
        UnusableJournalError
            If a row is not as `append` writes it.
        """
        with self._guard:
            self._refresh()
            return tuple(self._rows)

    @property
    def unfinished(self) -> str:
        """The last line if it lacked its line break when the file was last read, so that it is not among the rows."""
        return self._unfinished

    def append(self, corrections: Iterable[Correction]) -> tuple[Correction, ...]:
        """Append rows in one piece, and return those that were not there already; on return they are on the disk.

        Raises
        ------
        InputError
            If a correction is not valid, or the file is a link.
        UnusableJournalError
            If the file cannot be read, or is locked for long.
        """
        with self._guard, _locked(self.path):
            self._refresh()
            new: dict[str, Correction] = {}
            for one in corrections:
                if one.entry not in self._entries:
                    self._check(one, {**self._entries, **new})
                    new[one.entry] = one
            if new and self._unfinished:
                _log.warning(
                    "%s: removed the last line, which was not finished: %s", self.path, shown(self._unfinished)
                )
            if new:
                _write(self.path, self._read, list(new.values()))
                self._refresh()
            return tuple(new.values())

    def _check(self, one: Correction, known: Mapping[str, Correction]) -> None:
        reason = why_invalid(one)
        undone = known.get(one.value) if one.action == "undo" else one
        if undone is None or undone.field != one.field or (one.action == "undo" and undone.action == "undo"):
            reason = f"undoes {shown(one.value)!r}, which is no correction of this field"
        if reason:
            raise InputError(f"a correction of field {shown(one.field)} {reason}. It was not saved.")

    def _refresh(self) -> None:
        """Read what was appended since the last time; all of it if what was read before is no longer there."""
        if self.path.is_symlink():
            raise InputError(f"{self.path} is a link; corrections are kept in an ordinary file. Remove the link.")
        if not self.path.is_file():
            self._forget()
            return
        mark = file_mark(self.path)
        if mark == self._seen:
            return
        if mark.size > LARGEST:
            raise UnusableJournalError(
                f"{self.path} has {mark.size:,} bytes (at most {LARGEST:,} are read). Move it elsewhere."
            )
        content = self.path.read_bytes()
        if _digest(content[: self._read]) != self._hash:
            self._forget()
        end = content.rfind(b"\n") + 1
        for one in _parse(self.path, content[self._read : end], first=self._read == 0, known=len(self._rows)):
            self._rows.append(one)
            self._entries[one.entry] = one
        self._unfinished = content[end:].decode("utf-8", "replace").strip()
        self._read, self._hash, self._seen = end, _digest(content[:end]), mark


def why_invalid(one: Correction) -> str | None:
    """Why a correction is not valid, to follow "a correction of field X"; None if it is valid."""
    if one.action not in ACTIONS:
        return f"has the action {shown(one.action)!r} (expected one of {', '.join(ACTIONS)})"
    if reason := why_no_id(one.field):
        return f"names a field whose id {reason}"
    if any(not text.isprintable() for text in (one.time, one.by, one.entry, one.value)):
        return "holds a character that is not printed"
    if not one.entry or len(one.entry) > 64 or len(one.by) > 200 or len(one.time) > 40:
        return "has no name of its own, or a text that is too long"
    if len(one.value) > (LONGEST_NOTE if one.action == "note" else 20_000):
        return f"has a text of {len(one.value):,} characters (at most {LONGEST_NOTE:,} in a note)"
    if (one.action in ("add", "remove") and not one.value) or (one.action in ("unusable", "usable") and one.value):
        return f"does not say what to {one.action}"
    return None


def as_they_stand(corrections: Sequence[Correction], before: Mapping[str, frozenset[str]]) -> dict[str, Standing]:
    """Replay corrections; a row that was undone counts as never made.

    Parameters
    ----------
    corrections : sequence of Correction
        Oldest first.
    before : mapping of str to frozenset of str
        The classes of the labelled fields, as train.csv has them.

    Returns
    -------
    dict of str to Standing
        By field, for the fields with a correction.
    """
    undone = {one.value for one in corrections if one.action == "undo"}
    standing: dict[str, Standing] = {}
    for one in corrections:
        old = standing.get(one.field) or Standing(before.get(one.field))
        standing[one.field] = old if one.entry in undone else _after(old, one)
    return {
        field: Standing(now.classes, now.unusable, now.note, now.classes != before.get(field))
        for field, now in standing.items()
    }


def _after(old: Standing, one: Correction) -> Standing:
    classes, unusable, note = old.classes, old.unusable, old.note
    if one.action == "add":
        classes = (classes or frozenset()) | {one.value}
    elif one.action == "remove":
        classes = (classes or frozenset()) - {one.value}
    elif one.action == "set":
        classes = frozenset(filter(None, one.value.split(BETWEEN)))
    elif one.action in ("unusable", "usable"):
        unusable = one.action == "unusable"
    elif one.action == "note":
        note = one.value
    return Standing(classes, unusable, note)


def _locked(path: Path):
    """The lock of other programs that append; the folder must exist."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE, fallback_to_soft=False).acquire()
    except Timeout as error:
        raise UnusableJournalError(
            f"{path} is being written by another program for over {PATIENCE:.0f} s. Try again."
        ) from error


def _write(path: Path, finished: int, rows: Sequence[Correction]) -> None:
    """Write rows behind the finished ones; an unfinished line there, cut off by a kill, is removed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for one in rows:
        writer.writerow([inert(cell) for cell in (one.time, one.by, one.entry, one.field, one.action, one.value)])
    data = (("" if finished else _HEADER) + text.getvalue()).encode("utf-8")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if os.fstat(handle).st_size > finished:
            os.ftruncate(handle, finished)
        os.lseek(handle, 0, os.SEEK_END)
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content).digest()


def _parse(path: Path, data: bytes, first: bool, known: int) -> list[Correction]:
    remedy = "Correct that line, or move the file elsewhere."
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig" if first else "utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableJournalError(f"{path} cannot be read as a csv table ({error}). {remedy}") from error
    if first and lines and tuple(lines.pop(0)) != CORRECTIONS:
        raise UnusableJournalError(f"{path}: expected the columns {', '.join(CORRECTIONS)}. {remedy}")
    found = []
    for number, cells in enumerate(lines, start=known + 2):
        if len(cells) != len(CORRECTIONS):
            raise UnusableJournalError(
                f"{path}, line {number}: has {len(cells)} cells (expected {len(CORRECTIONS)}). {remedy}"
            )
        time, by, entry, field, action, value = cells
        one = Correction(time, by, entry, field, action, _active(value))
        if reason := why_invalid(one):
            raise UnusableJournalError(f"{path}, line {number}: {reason}. {remedy}")
        found.append(one)
    return found


def _active(cell: str) -> str:
    """A value as it was before `inert` put an apostrophe before what a spreadsheet would run."""
    return cell[1:] if cell.startswith("'") and inert(cell[1:]) == cell else cell
