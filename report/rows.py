"""The rows of a table as dicts, typed by what our tables are: every column has a name."""

from typing import Any, cast

import pandas as pd

Row = dict[str, Any]
"""One row of a table by column name."""


def rows_of(table: pd.DataFrame) -> list[Row]:
    """The rows of a table in their order; its columns are named by text."""
    return cast("list[Row]", table.to_dict("records"))
