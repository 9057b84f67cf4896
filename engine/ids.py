"""Which words may name a field: what a spreadsheet would run, or a path would take for a folder, may not."""

import unicodedata

LONGEST = 200  # characters
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")
_SHOWN = 80  # characters of an id or file name in a sentence


def why_no_id(text: str) -> str | None:
    """Why a text is no usable id, to be put after "its id"; None if it is one.

    Ids are compared character by character and written as they are, so that Kaggle finds its own: one that would do
    harm elsewhere is refused and not changed. "é" in one and in two characters are different ids.

    Parameters
    ----------
    text : str

    Returns
    -------
    str or None
        E.g. "starts with '=', which a spreadsheet runs as a formula".
    """
    if not text:
        return "is empty"
    if len(text) > LONGEST:
        return f"has {len(text):,} characters (at most {LONGEST})"
    if text.startswith(_RUN_BY_SPREADSHEETS):
        return f"starts with {text[0]!r}, which a spreadsheet runs as a formula"
    if text.startswith(".") or "/" in text or "\\" in text:
        return "reads like a path (it starts with a dot or holds a slash)"
    if text != text.strip():
        return "starts or ends with a space"
    odd = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")), None)
    return None if odd is None else f"holds a character that is not printed (U+{ord(odd):04X})"


def shown(text: str, longest: int = _SHOWN) -> str:
    """A text from outside as one line that any terminal and any table can take, cut where it is long."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def inert(cell: object) -> object:
    """A cell of a csv table that no spreadsheet runs: text that starts like a formula gets an apostrophe before it."""
    runs = isinstance(cell, str) and cell.startswith((*_RUN_BY_SPREADSHEETS, "\t", "\r"))
    return f"'{cell}" if runs else cell
