"""Valid field ids: rejected are those that a spreadsheet would run or that read like a path."""

import unicodedata

LONGEST = 200  # characters
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")
_SHOWN = 80  # characters of an id or file name in a sentence


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
    """User text as one printable line, shortened where it is long."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def inert(cell: object) -> object:
    """A csv cell that no spreadsheet runs: text that starts like a formula gets a leading apostrophe."""
    runs = isinstance(cell, str) and cell.startswith((*_RUN_BY_SPREADSHEETS, "\t", "\r"))
    return f"'{cell}" if runs else cell
