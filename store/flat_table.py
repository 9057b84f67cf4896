"""A run's cells or fields as one flat table, read in pieces, because all cells together may not fit in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from store.channels import IMAGE
from store.matrix import matrix_columns, read_columns
from store.run_folder import SPLITS, RunFolder
from store.schema import METADATA

LEVELS = ("cells", "fields")
PIECE_ROWS = 8192
"""Rows of a piece at least, and at most just under twice as many: 80 to 160 MB of cells."""


@dataclass(frozen=True)
class FlatTable:
    """One row a cell or a field, in the order of split, field, cell: Metadata columns, then features.

    Attributes
    ----------
    folder : RunFolder
    level : str
        "cells" or "fields".
    paths : tuple of Path
        Its files, in order.
    columns : DataFrame
        One row a feature column: name, compartment, family, feature, channels, parameters, covariate.
    schema : pyarrow.Schema
    n_rows : int
    """

    folder: RunFolder
    level: str
    paths: tuple[Path, ...]
    columns: pd.DataFrame
    schema: pa.Schema
    n_rows: int

    @property
    def metadata(self) -> list[str]:
        """Names of the Metadata columns."""
        return self.schema.names[: len(self.schema) - len(self.columns)]

    def pieces(self) -> Iterator[pa.Table]:
        """The table from top to bottom.

        Raises
        ------
        InputError
            If a file lacks a column: an extraction with other settings was not finished.
        """
        held: list[pa.Table] = []
        for path in self.paths:
            file = pq.ParquetFile(path)
            missing = set(self.schema.names) - set(file.schema_arrow.names)
            if missing:
                raise InputError(
                    f"{path} has no column {min(missing)}: it was extracted with other settings than the rest. Run "
                    f"{self.folder.command('extract')} again, to its end."
                )
            for batch in file.iter_batches(PIECE_ROWS, columns=self.schema.names):
                held.append(pa.Table.from_batches([batch]).select(self.schema.names).cast(self.schema))
                if sum(map(len, held)) >= PIECE_ROWS:
                    yield pa.concat_tables(held)
                    held = []
        if held:
            yield pa.concat_tables(held)


def flat_table(folder: RunFolder, level: str, split: str) -> FlatTable:
    """Find the files of a level.

    Parameters
    ----------
    folder : RunFolder
    level : str
        "cells" or "fields".
    split : str
        "train", "test" or "both" (those that are there).

    Raises
    ------
    InputError
        If nothing was extracted, or not this split.
    """
    columns = read_columns(folder)
    there = [name for name in SPLITS if folder.matrix(name).is_file()]
    wanted = [name for name in there if split in (name, "both")]
    if not wanted:
        found = f"there is {' and '.join(there)}" if there else "there is no other"
        raise InputError(
            f"{folder.matrix(SPLITS[0] if split == 'both' else split)} is missing: extraction of this split was not "
            f"finished ({found}). Run {folder.command('extract')} first."
        )
    if level == "cells":
        columns = columns[columns["compartment"] != IMAGE].reset_index(drop=True)
        shards = [sorted((folder.features / "cells").glob(f"{name}-*.parquet")) for name in wanted]
        paths = tuple(path for of_split in shards for path in of_split)
    else:
        columns = matrix_columns(columns)
        paths = tuple(folder.matrix(name) for name in wanted)
    if not paths:
        raise InputError(f"{folder.features / 'cells'} holds no cells any more. Run {folder.command('extract')} first.")
    first = pq.read_schema(paths[0])
    metadata = [pa.field(name, _plain(first.field(name).type)) for name in first.names if name.startswith(METADATA)]
    features = [pa.field(name, pa.float32()) for name in columns["name"]]
    n_rows = sum(pq.read_metadata(path).num_rows for path in paths)
    return FlatTable(folder, level, paths, columns, pa.schema([*metadata, *features]), n_rows)


def _plain(kind: pa.DataType) -> pa.DataType:
    """One type for all strings: pandas writes large strings, and the null type for an empty column."""
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_null(kind) else kind
