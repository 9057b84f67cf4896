"""The table of importances on disk: its stamp, reading and writing."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.command_line import command_line
from engine.errors import InputError
from engine.files import whole
from models.explanation.feature_groups import NO_STAIN, WHOLE_FIELD, block_names
from models.explanation.importance import ImportanceSettings
from models.explanation.readable import ALL_READABLE, READABLE
from models.fitted import Fitted
from store.classes import Classes
from store.matrix import matrix_columns, read_columns
from store.run_folder import RunFolder
from store.schema import IMPORTANCE_KEYS, IMPORTANCE_VALUES
from store.stamp import code_of, stamp, stamp_of, stamped
from store.untrusted_input import read_table


def importance_stamp(fitted: Fitted, settings: ImportanceSettings) -> str:
    """The stamp of importances: settings, fit and code."""
    content = {name: value for name, value in asdict(settings).items() if name != "workers"}
    return stamp(content, fitted.stamp, importance_code())


def measured_importance(folder: RunFolder, fitted: Fitted) -> pd.DataFrame | None:
    """The importances of a fit, if they were measured with the usual settings and are up to date."""
    if stamp_of(folder.importance) != importance_stamp(fitted, ImportanceSettings(seed=fitted.settings.seed)):
        return None
    return read_importance(folder.importance, matrix_columns(read_columns(folder)), fitted.classes)


def importance_code() -> str:
    """Hash of the sources that importances depend on."""
    return code_of("models.explanation.importance", "models.first_level.*")


def write_importance(path: Path, importance: pd.DataFrame, mark: str) -> None:
    """Write importance.parquet with its stamp."""
    table = pa.Table.from_pandas(importance, preserve_index=False)
    with whole(path) as temporary:
        pq.write_table(stamped(table, mark), temporary)


def read_importance(path: Path, columns: pd.DataFrame, classes: Classes) -> pd.DataFrame:
    """Read importance.parquet.

    Parameters
    ----------
    path : Path
    columns : DataFrame
        The structured columns that it is about.
    classes : Classes
        Those of the fit.

    Raises
    ------
    InputError
        If it is missing, or lists organelles or columns that the run does not have.
    """
    remedy = f"Remove it, and run {command_line('importances')}."
    kinds = dict.fromkeys(IMPORTANCE_KEYS, "text") | dict.fromkeys(IMPORTANCE_VALUES, "number")
    table = read_table(path, kinds, remedy).to_pandas()
    known = _known(columns)
    found = set(zip(table["level"], table["what"]))
    if not set(table["organelle"]) <= set(classes.names) or not found <= known:
        raise InputError(f"{path} lists organelles or columns that the run does not have. {remedy}")
    return table


def _known(columns: pd.DataFrame) -> set[tuple[str, str]]:
    """All valid pairs of level and name."""
    channels = {name for names in columns["channels"] for name in names} | {NO_STAIN}
    whats = {
        "feature": columns["name"], "block": block_names(columns), "family": columns["family"], "channel": channels,
        "compartment": columns["compartment"], "pool": {name or WHOLE_FIELD for name in columns["pool"]},
        READABLE: {ALL_READABLE, *columns["name"]},
    }  # fmt: skip
    return {(level, what) for level, names in whats.items() for what in names}
