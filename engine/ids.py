"""Field ids: which are valid, ids and names that are written in two ways, and how text of users is shown."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

LONGEST = 200  # characters
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")
_SHOWN = 80  # characters of an id or file name in a sentence
_WRITTEN_OTHERWISE: tuple[tuple[Callable[[str], str], str], ...] = (
    (lambda text: text.lstrip("0"), "the leading zeros were lost, as in a spreadsheet that takes ids for numbers"),
    (
        lambda text: unicodedata.normalize("NFC", text),
        "the same letters are made of other characters (é of one or two)",
    ),
    (str.casefold, "they differ only in upper and lower case"),
)
"""What may tell two ids of one field apart, and how to say it."""


def why_no_id(text: str) -> str | None:
    """Why a text is not a valid id, to follow "its id" in a message; None if it is valid.

    Ids are compared character by character and written unchanged, as Kaggle needs them. One that would be unsafe
    elsewhere is rejected rather than changed. "é" as one and as two characters are different ids.

    Parameters
    ----------
    text : str

    Returns
    -------
    str or None
        E.g. "starts with '=', which a spreadsheet runs as a formula".
    """
    unsafe = why_unsafe(text, LONGEST)
    if not unsafe and (text.startswith(".") or "/" in text or "\\" in text):
        return "reads like a path (it starts with a dot or holds a slash)"
    return unsafe


def why_unsafe(text: str, longest: int) -> str | None:
    """Why a text of at most `longest` characters is unsafe in a csv table or on a terminal; None if it is not."""
    if not text:
        return "is empty"
    if len(text) > longest:
        return f"has {len(text):,} characters (at most {longest})"
    if text.startswith(_RUN_BY_SPREADSHEETS):
        return f"starts with {text[0]!r}, which a spreadsheet runs as a formula"
    if text != text.strip():
        return "starts or ends with a space"
    if text.isprintable():
        return None
    odd = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")), None)
    return None if odd is None else f"holds a character that is not printed (U+{ord(odd):04X})"


def no_match(listed: str, measured: Sequence[str], table: Path) -> str:
    """An id of a table beside one of the measured fields, and what to do where they are one id, written otherwise.

    Parameters
    ----------
    listed : str
        An id of the table.
    measured : sequence of str
        The ids of the fields, at least one.
    table : Path
    """
    for plain, why in _WRITTEN_OTHERWISE:
        same = next((field for field in measured if field != listed and plain(field) == plain(listed)), None)
        if same is not None:
            return (
                f"{table.name} has {shown(listed)}, the images {shown(same)}: {why}. Write the ids of {table.name} as "
                "the images are named, in a column of text"
            )
    return f"{table.name} has for example {shown(listed)}, the images {shown(measured[0])}"


def shown(text: str, longest: int = _SHOWN) -> str:
    """User text as one printable line, shortened where it is long."""
    if len(text) <= longest and text.isprintable():
        return text
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def inert(cell: object) -> object:
    """A csv cell that no spreadsheet runs: text that starts like a formula gets a leading apostrophe."""
    runs = isinstance(cell, str) and cell.startswith((*_RUN_BY_SPREADSHEETS, "\t", "\r"))
    return f"'{cell}" if runs else cell


def names_alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ only in upper and lower case, the one seen first in front."""
    first: dict[str, str] = {}
    pairs = [(first.setdefault(name.casefold(), name), name) for name in dict.fromkeys(names)]
    return [(one, other) for one, other in pairs if one != other]
