"""Reading back the csv tables that the commands wrote; a user may have edited or damaged them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from engine.errors import InputError
from engine.ids import shown


def read_results(path: Path, columns: Sequence[str], numbers: Mapping[str, type], remedy: str) -> pd.DataFrame:
    """Read some columns of a csv table, as text except for numbers.

    Parameters
    ----------
    path : Path
        An existing file.
    columns : sequence of str
        Those to read, in this order.
    numbers : mapping of str to type
        The columns that hold int or float.
    remedy : str
        What the user can do if the file cannot be read.

    Raises
    ------
    InputError
        If it is no such table.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        return table[list(columns)].fillna("").astype(dict(numbers))  # a short row lacks its last cells
    except (KeyError, ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path} cannot be used ({shown(str(error), 200)}). {remedy}") from error
