"""Numbers with their nouns."""


def counted(n: int, noun: str) -> str:
    """A number and what it counts.

    Examples
    --------
    >>> counted(1, "field"), counted(0, "training field")
    ('1 field', '0 training fields')
    """
    return f"{n} {noun if n == 1 else noun + 's'}"
