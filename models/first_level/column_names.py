"""Names of columns as model files can hold them, so that shap and the libraries' own plots are readable."""

import re
from collections.abc import Sequence

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.+-]")
_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")


def plain_names(names: Sequence[str]) -> list[str]:
    """The names in ASCII without spaces, brackets and the like, which LightGBM or XGBoost refuse; none comes twice.

    A name that would come twice gets its position in the table at its end.
    """
    plain = [_NOT_PLAIN.sub("_", name) or "_" for name in names]
    taken: set[str] = set()
    for k in range(len(plain)):
        while plain[k] in taken:
            plain[k] = f"{plain[k]}_{k}"
        taken.add(plain[k])
    return plain


def are_plain(names: Sequence[str], n: int) -> bool:
    """Whether these are n names as `plain_names` makes them."""
    return len(names) == len(set(names)) == n and all(map(_PLAIN.fullmatch, names))
