"""Numbers with their nouns."""


def counted(n: int, noun: str, nouns: str = "") -> str:
    """A number and what it counts; `nouns` is the plural, by default with an s.

    Examples
    --------
    >>> counted(1, "field"), counted(0, "training field")
    ('1 field', '0 training fields')
    """
    return f"{n} {noun if n == 1 else nouns or noun + 's'}"
