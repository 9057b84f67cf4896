"""Finds the classes in the labels of train.csv: Kaggle's label numbers, the HPA's names, or names of a lab's own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from engine.counted import counted
from engine.errors import InputError
from engine.ids import shown
from store.classes import HPA_2021, ORGANELLES, OTHER_LOCATIONS, Classes, either, plain, why_no_class

OWN = "--own-classes"
"""The option of `fit` that takes all names as a lab's own."""

MOST_CLASSES = 1000
_NUMBER = re.compile(r"[0-9]{1,9}")
_NEAR = 0.85  # of difflib's ratio: one or two letters of a name differ
_OF_HPA = {plain(name): name for name in (*HPA_2021, *OTHER_LOCATIONS, *ORGANELLES)}


@dataclass(frozen=True)
class Target:
    """What one row of the table says.

    Attributes
    ----------
    line : int
    field, text : str
        The id, and the labels as they are written.
    """

    line: int
    field: str
    text: str


@dataclass(frozen=True)
class ReadTargets:
    """The classes of a table, and which row carries which.

    Attributes
    ----------
    classes : Classes
    numbers : tuple of tuple of int
        The classes of each row.
    remarks : tuple of str
        How the labels were read, in sentences.
    own : bool
        Whether the classes are the lab's own.
    """

    classes: Classes
    numbers: tuple[tuple[int, ...], ...]
    remarks: tuple[str, ...]
    own: bool = False


def read_targets(path: Path, rows: Sequence[Target], of_2021: bool, own: bool) -> ReadTargets:
    """Find the classes of a table and those of each row.

    Whole numbers are Kaggle's label numbers. Names of the HPA, in any case, are the 28 organelles, and other locations
    of the HPA behind them. If any other name appears, all are the lab's own, sorted.

    Parameters
    ----------
    path : Path
        The table, for messages.
    rows : sequence of Target
    of_2021 : bool
        Whether numbers are those of the 2021 competition.
    own : bool
        Take every text as a name of the lab's own.

    Raises
    ------
    InputError
        If numbers and names are mixed, a number is unknown, a name is nearly the HPA's or nearly another name of the
        table, a name cannot be a class, or there are fewer than two classes.
    """
    numeric = [bool(row.text) and all(map(_is_number, _words(row.text))) for row in rows]
    if any(numeric) and not own:
        _refuse_mixed(path, rows, numeric)
        return _numbered(path, rows, HPA_2021 if of_2021 else ORGANELLES, of_2021)
    parts, split = _parts(rows, {} if own else _OF_HPA)
    used = {plain(part) for of_row in parts for part in of_row}
    _refuse_unusable(path, rows, parts)
    if used <= _OF_HPA.keys() and not own:
        _refuse_empty(path, rows, "")
        classes = classes_of(path, used, own)
        return _resolved(classes, parts, _hpa_remarks(parts, classes.names[len(ORGANELLES) :]))
    near = {} if own else _near_to_hpa(used)
    if used & _OF_HPA.keys() and near:
        raise _misspelt(path, rows, parts, near)
    spelt = _spelling(path, rows, parts)
    classes = classes_of(path, spelt.values(), own)
    return replace(_resolved(classes, parts, _own_remarks(classes, near, split, own)), own=True)


def classes_of(path: Path, names: Iterable[str], own: bool) -> Classes:
    """The 28 organelles and other locations of the HPA if all names are the HPA's, else these names, sorted.

    Raises
    ------
    InputError
        If names of a lab's own are fewer than two, or too many.
    """
    names = sorted(set(names))
    if not own and all(plain(name) in _OF_HPA for name in names):
        return Classes((*ORGANELLES, *sorted({_OF_HPA[plain(name)] for name in names} - set(ORGANELLES))))
    if not 2 <= len(names) <= MOST_CLASSES:
        raise InputError(
            f"{path} names {counted(len(names), 'class', 'classes')} ({_some(names)}); expected from 2 to "
            f"{MOST_CLASSES:,}. Name the class of the other fields too."
        )
    return Classes(tuple(names))


def class_counts(classes: Classes, labels: np.ndarray) -> tuple[str, ...]:
    """How many fields carry each class of the lab's own, and how many none, in sentences; labels are (field, class)."""
    counts = zip(classes.names, labels.sum(0).tolist(), strict=True)
    named = ", ".join(f"{name} ({counted(n, 'field')})" for name, n in counts)
    n_none = int((~labels.any(1)).sum())
    without = [f"without a class: {counted(n_none, 'field')} of {len(labels)}"] if n_none else []
    return (f"{counted(len(classes.names), 'class', 'classes')} of your own: {named}", *without)


def _words(text: str) -> list[str]:
    return re.split(r"[\s|;]+", text.strip("|; "))


def _is_number(word: str) -> bool:
    """Whether a word reads like a number of any kind; most kinds are no label number and refused as such."""
    try:
        float(word.replace(",", "."))
    except ValueError:
        return word.isnumeric()
    return True


def _where(path: Path, row: Target) -> str:
    return f"{path}, line {row.line}, field {row.field}"


def _refuse_mixed(path: Path, rows: Sequence[Target], numeric: Sequence[bool]) -> None:
    named = next((row for row, number in zip(rows, numeric, strict=True) if row.text and not number), None)
    if named is not None:
        numbered = next(row for row, number in zip(rows, numeric, strict=True) if number)
        raise InputError(
            f"{_where(path, named)}: {shown(named.text)!r} is no label number, but line {numbered.line} has "
            f"{shown(numbered.text)!r}. Write either Kaggle's label numbers in all rows, or names; classes of your own "
            f"that are called by numbers are read with {OWN}."
        )


def _refuse_empty(path: Path, rows: Sequence[Target], numbers: str) -> None:
    empty = next((row for row in rows if not row.text), None)
    if empty is not None:
        raise InputError(
            f"{_where(path, empty)}: Target is empty. Every training field needs at least one organelle"
            f"{numbers}; take the row out if the field has none. Fields without a class are read with {OWN}."
        )


def _numbered(path: Path, rows: Sequence[Target], names: tuple[str, ...], of_2021: bool) -> ReadTargets:
    _refuse_empty(path, rows, f", a label number from 0 to {len(names) - 1}")
    for row in rows:
        for token in _words(row.text):
            if not (_NUMBER.fullmatch(token) and int(token) < len(names)):
                raise InputError(
                    f"{_where(path, row)}: unknown label {shown(token)!r}. Labels are whole numbers from 0 ("
                    f"{names[0]}) to {len(names) - 1} ({names[-1]}), with spaces or | between. Write classes of your "
                    f"own by name; names that are numbers are read with {OWN}."
                )
    remark = f"labels are Kaggle's numbers: 0 is {names[0]}, {len(names) - 1} is {names[-1]}"
    if of_2021:
        remark = (
            f"the header says Label: labels are the numbers of Kaggle's 2021 competition, {len(names)} classes (8 is "
            f"{names[8]}); the numbers of 2018 stand under Target"
        )
    numbers = tuple(tuple(int(token) for token in _words(row.text)) for row in rows)
    return ReadTargets(Classes(names), numbers, (remark,))


def _parts(rows: Sequence[Target], known: Mapping[str, str]) -> tuple[list[list[str]], list[str]]:
    """The names in each row, and the texts that were split at spaces or commas.

    Names stand between | or, if there is none in the table, between ;. Without either, a text of several words is
    split only where all its parts are the HPA's or are found alone in other rows.
    """
    between = next((mark for mark in ("|", ";") if any(mark in row.text for row in rows)), None)
    if between:
        return [[part.strip() for part in row.text.split(between) if part.strip()] for row in rows], []
    alone = {plain(row.text) for row in rows if row.text and not re.search(r"[\s,]", row.text)} | known.keys()
    parts, split = [], []
    for row in rows:
        found = [row.text] if not row.text or plain(row.text) in known else _segments(row.text, alone)
        if len(found) > 1:
            split.append(row.text)
        parts.append(found if row.text else [])
    return parts, split


def _segments(text: str, known: Iterable[str]) -> list[str]:
    """The text split into known names at spaces and commas, the longest first; unsplit where that is impossible."""
    words = re.split(r"[\s,]+", text.strip(", "))

    def rest(start: int) -> list[str] | None:
        if start == len(words):
            return []
        for stop in range(len(words), start, -1):
            name = " ".join(words[start:stop])
            if plain(name) in known and (after := rest(stop)) is not None:
                return [name, *after]
        return None

    return rest(0) or [text]


def _refuse_unusable(path: Path, rows: Sequence[Target], parts: Sequence[Sequence[str]]) -> None:
    for row, of_row in zip(rows, parts, strict=True):
        for part in of_row:
            if reason := why_no_class(part):
                raise InputError(f"{_where(path, row)}: the class {shown(part)!r} {reason}. Give it another name.")


def _near_to_hpa(used: Iterable[str]) -> dict[str, str]:
    """The names that are nearly the HPA's, with the name that may be meant."""
    found = {}
    for key in sorted(used):
        near = [] if key in _OF_HPA else get_close_matches(key, _OF_HPA, n=1, cutoff=_NEAR)
        found |= {key: _OF_HPA[near[0]]} if near else {}
    return found


def _misspelt(
    path: Path, rows: Sequence[Target], parts: Sequence[Sequence[str]], near: Mapping[str, str]
) -> InputError:
    row, part = next(
        (row, part) for row, of_row in zip(rows, parts, strict=True) for part in of_row if plain(part) in near
    )
    return InputError(
        f"{_where(path, row)}: unknown class {shown(part)!r}, where other rows name the HPA's locations. Did you mean "
        f"{near[plain(part)]}? Correct it, or add {OWN} if all names are classes of your own."
    )


def _spelling(path: Path, rows: Sequence[Target], parts: Sequence[Sequence[str]]) -> dict[str, str]:
    """The spelling of each class of the lab's own; refuses two that a reader would take for one."""
    spellings: dict[str, dict[str, Target]] = {}
    for row, of_row in zip(rows, parts, strict=True):
        for part in of_row:
            spellings.setdefault(plain(part), {}).setdefault(part, row)
    for variants in spellings.values():
        if len(variants) > 1:
            found = [f"{shown(name)!r} (line {row.line})" for name, row in variants.items()]
            raise InputError(
                f"{path} has {either(found)}, which differ only in upper case, spaces or accents. Write the class in "
                "one way."
            )
    return {key: next(iter(variants)) for key, variants in spellings.items()}


def _resolved(classes: Classes, parts: Sequence[Sequence[str]], remarks: tuple[str, ...]) -> ReadTargets:
    number = {plain(name): j for j, name in enumerate(classes.names)}
    return ReadTargets(classes, tuple(tuple(number[plain(part)] for part in of_row) for of_row in parts), remarks)


def _hpa_remarks(parts: Sequence[Sequence[str]], more: Sequence[str]) -> tuple[str, ...]:
    kinds = f"the 28 organelles and {', '.join(more)}" if more else "the 28 organelles"
    other = Counter(part for of_row in parts for part in of_row if part != _OF_HPA[plain(part)])
    lines = [f"labels are the HPA's names: {kinds}"]
    if other:
        shown_names = _some([f"{shown(name)!r} as {_OF_HPA[plain(name)]}" for name in sorted(other)])
        lines.append(f"{counted(other.total(), 'label')} read in the HPA's spelling: {shown_names}")
    return tuple(lines)


def _own_remarks(classes: Classes, near: Mapping[str, str], split: Sequence[str], own: bool) -> tuple[str, ...]:
    lines = []
    known = [name for name in classes.names if plain(name) in _OF_HPA]
    if known and not own:
        lines.append(f"of these the HPA has {_some(known)}; because it has not all of them, all are taken as your own")
    if near:
        alike = _some([f"{name} (the HPA's {near[plain(name)]}?)" for name in classes.names if plain(name) in near])
        lines.append(f"taken as written: {alike}")
    if split:
        lines.append(
            f"{counted(len(split), 'label')} split at spaces or commas into classes that other rows name alone (the "
            f"first: {shown(split[0])!r}); to keep such a text whole, write | between classes"
        )
    return tuple(lines)


def _some(names: Sequence[str], n: int = 5) -> str:
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
