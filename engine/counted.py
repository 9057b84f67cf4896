"""Numbers with their nouns, and the first names of many."""

from collections.abc import Sequence


def counted(n: int, noun: str, nouns: str = "") -> str:
    """A number and what it counts; `nouns` is the plural, by default with an s.

    Examples
    --------
    >>> counted(1, "field"), counted(0, "training field")
    ('1 field', '0 training fields')
    """
    return f"{n} {noun if n == 1 else nouns or noun + 's'}"


def first_named(names: Sequence[str], most: int = 3) -> str:
    """The first names of many, for a sentence.

    Examples
    --------
    >>> first_named(["a", "b"]), first_named(["a", "b", "c", "d"])
    ('a, b', 'a, b, c, ...')
    """
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
