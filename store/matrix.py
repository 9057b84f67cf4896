"""The matrix: one row a field, with its cells' features pooled and the features of the whole field."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.command_line import DATA, command_line
from engine.errors import InputError
from engine.files import whole
from engine.ids import shown
from store.channels import IMAGE, PROTEIN
from store.run_folder import RunFolder
from store.schema import METADATA_HASH, METADATA_ID
from store.stamp import stamped
from store.untrusted_input import check_ids, read_names, read_numbers, read_table

ROWS_A_GROUP = 4096  # of the matrix on disk: 65 MB
_REMEDY = f"Remove it, and run {command_line('extract')} again."

POOLS: tuple[str, ...] = ("mean", "sd", "top", "mass")
"""The pools in the order of the pooled columns: all means, then all standard deviations, and so on. "mass" is the mean
weighted by each cell's protein, the column `MASS`."""

EMBEDDING = "Embedding"
"""The family of columns that a network computes."""

MASS = "Mass"
"""The feature of that family that holds the cells' weights; it is not in the matrix."""


@dataclass(frozen=True)
class FieldMatrix:
    """One row a field that was measured.

    Attributes
    ----------
    metadata : DataFrame
        Metadata_Id and the perceptual hashes; sorted by id.
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN where a value does not exist.
    columns : DataFrame
        One row a column of `values`: name, compartment, family, feature, channels, parameters, covariate, pool.
    """

    metadata: pd.DataFrame
    values: np.ndarray
    columns: pd.DataFrame

    @property
    def ids(self) -> tuple[str, ...]:
        """The fields, in row order."""
        return tuple(self.metadata[METADATA_ID])

    def rows(self, keep: np.ndarray) -> "FieldMatrix":
        """The rows that `keep` (bool or indices) selects."""
        return FieldMatrix(self.metadata.iloc[keep].reset_index(drop=True), self.values[keep], self.columns)

    def select(self, keep: np.ndarray) -> "FieldMatrix":
        """The columns that `keep` (bool) selects."""
        if keep.all():
            return self
        return FieldMatrix(self.metadata, self.values[:, keep], self.columns[keep].reset_index(drop=True))

    def named(self, names: Sequence[str]) -> np.ndarray:
        """The values of these columns, in this order.

        Raises
        ------
        InputError
            If there is no such column.
        """
        at = pd.Index(self.columns["name"]).get_indexer(pd.Index(list(names)))
        if (at < 0).any():
            raise InputError(
                f"column {names[int(np.argmax(at < 0))]} is missing among the {len(self.columns)} of the matrix: it "
                f"was extracted with other settings than the fit. Run {command_line('extract')} and fit again."
            )
        return self.values if np.array_equal(at, np.arange(len(self.columns))) else self.values[:, at]


def pooled_columns(columns: pd.DataFrame, pools: Sequence[str] = POOLS) -> pd.DataFrame:
    """Describe the pooled matrix's columns.

    Parameters
    ----------
    columns : DataFrame
        One row a cell feature, with at least `name`.
    pools : sequence of str
        As given to `pool`.

    Returns
    -------
    DataFrame
        One row a pooled column, in the order of `pool`: the same fields, `name` with the pool behind, and `pool`.
    """
    blocks = [columns.assign(name=columns["name"] + f"_{name}", pool=name) for name in pools]
    return pd.concat(blocks, ignore_index=True)


def matrix_columns(columns: pd.DataFrame) -> pd.DataFrame:
    """Describe the matrix that `pool_shard` makes from these structured columns."""
    of_field = columns["compartment"] == IMAGE
    of_cell = columns[~of_field]
    pooled = [pooled_columns(of_cell[kept], [name]) for name, kept in kept_pools(of_cell)]
    return pd.concat([*pooled, columns[of_field].assign(pool="")], ignore_index=True)


def kept_pools(of_cell: pd.DataFrame) -> tuple[tuple[str, np.ndarray], ...]:
    """Which pools of which columns go into the matrix: the mean of all, the top of those that involve the protein.

    The protein may show an organelle in a few cells of a field only; how the other stains vary from cell to cell
    rather identifies the cell line. Measured: docs/benchmarks.md, "Which features help". An embedding has one pool, the
    mean weighted by the cells' protein ("What the embedding adds").
    """
    of_protein = np.array([PROTEIN.name in channels for channels in of_cell["channels"]], bool)
    embedded = (of_cell["family"] == EMBEDDING).to_numpy(bool)
    pools = ("mean", ~embedded), ("top", of_protein & ~embedded), ("mass", embedded & ~is_mass(of_cell))
    return tuple((name, kept) for name, kept in pools if kept.any())


def is_mass(of_cell: pd.DataFrame) -> np.ndarray:
    """Which column is the cells' weight for the pool "mass": bool, all False without a network."""
    return ((of_cell["family"] == EMBEDDING) & (of_cell["feature"] == MASS)).to_numpy(bool)


def write_matrix(
    path: Path, parts: Iterable[tuple[pd.DataFrame, np.ndarray]], columns: pd.DataFrame, mark: str
) -> None:
    """Write pooled shards as one table, some thousand rows at a time.

    Parameters
    ----------
    parts : iterable
        What `pool_shard` gives, in the order of the ids.
    columns : DataFrame
        As given to `pool_shard`.
    mark : str
        Its stamp.
    """
    names = list(matrix_columns(columns)["name"])
    with whole(path) as temporary, ExitStack() as stack:
        writer = None
        for metadata, values in _gathered(parts):
            table = pa.Table.from_pandas(metadata, preserve_index=False)
            by_column = np.ascontiguousarray(values.T)
            named = pa.Table.from_arrays([pa.array(column) for column in by_column], names)
            table = pa.Table.from_arrays([*table.columns, *named.columns], [*table.column_names, *names])
            if writer is None:
                schema = stamped(table, mark).schema
                writer = stack.enter_context(pq.ParquetWriter(temporary, schema, use_dictionary=False))
            writer.write_table(table.cast(writer.schema))


def _gathered(parts: Iterable[tuple[pd.DataFrame, np.ndarray]]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Parts concatenated to some thousand rows each; a single empty part if there are no rows at all."""
    waiting: list[tuple[pd.DataFrame, np.ndarray]] = []
    written = 0
    for part in parts:
        waiting.append(part)
        n_rows = sum(len(metadata) for metadata, _ in waiting)
        if n_rows >= ROWS_A_GROUP:
            yield _joined(waiting)
            written, waiting = written + n_rows, []
    if waiting and (not written or any(len(metadata) for metadata, _ in waiting)):
        yield _joined(waiting)


def _joined(parts: list[tuple[pd.DataFrame, np.ndarray]]) -> tuple[pd.DataFrame, np.ndarray]:
    metadata = pd.concat([metadata for metadata, _ in parts], ignore_index=True)
    return metadata, np.concatenate([values for _, values in parts])


def read_matrix(
    path: Path, columns: pd.DataFrame, covariates: bool = True, extract: str = command_line("extract")
) -> FieldMatrix:
    """Read a matrix in pieces, so that it is in memory only once.

    Parameters
    ----------
    path : Path
    columns : DataFrame
        The structured columns of the run (columns.parquet).
    covariates : bool
        Read the columns that depend on how a field was acquired, too.
    extract : str
        The command that writes a matrix, for the error message.

    Raises
    ------
    InputError
        If it is missing.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is missing: no {path.stem} fields have been extracted. Run {extract} first, with "
            f"{path.stem}/ or {path.stem}.zip in its data folder."
        )
    described = matrix_columns(columns)
    if not covariates:
        described = described[~described["covariate"].to_numpy(bool)].reset_index(drop=True)
    metadata = read_hashes(path)
    return FieldMatrix(metadata, read_numbers(path, list(described["name"]), _REMEDY), described)


def read_hashes(path: Path) -> pd.DataFrame:
    """The ids of a matrix's fields and their perceptual hashes, without the features; raises as `read_matrix` does."""
    hashes = [name for name in read_names(path, _REMEDY) if name.startswith(METADATA_HASH)]
    table = read_table(path, {METADATA_ID: "text"} | dict.fromkeys(hashes, "whole number"), _REMEDY).to_pandas()
    check_ids(path, table[METADATA_ID].tolist(), _REMEDY)
    return table


_TOKEN = re.compile(r"[A-Za-z0-9.\-]{1,100}")
_NAME = re.compile(r"[A-Za-z0-9.\-_]{1,500}")
_OF_ONE_TOKEN, _OF_SEVERAL = ("compartment", "family", "feature"), ("channels", "parameters")
_COLUMN_KINDS = (
    dict.fromkeys(("name", *_OF_ONE_TOKEN), "text") | dict.fromkeys(_OF_SEVERAL, "texts") | {"covariate": "truth"}
)


def read_columns(folder: RunFolder, data: Path = DATA) -> pd.DataFrame:
    """The structured columns of a run; error messages name the data folder of config.json, or else `data`.

    Raises
    ------
    InputError
        If nothing was extracted yet, or the table is not as `extract` writes it.
    """
    path, extract = folder.columns, folder.command("extract", data)
    remedy = f"Run {extract} again."
    if not path.is_file():
        raise InputError(f"{path} is missing: nothing was extracted yet. Run {extract} first.")
    frame = read_table(path, _COLUMN_KINDS, remedy).to_pandas()
    for name in _OF_SEVERAL:
        frame[name] = pd.Series([tuple(tokens) for tokens in frame[name]], dtype=object)
    tokens = [token for name in _OF_ONE_TOKEN for token in frame[name]]
    tokens += [token for name in _OF_SEVERAL for several in frame[name] for token in several]
    odd = [name for name in frame["name"] if not _NAME.fullmatch(name)]
    odd += [token for token in tokens if not _TOKEN.fullmatch(token)]
    if odd or frame["name"].duplicated().any():
        found = f"found {shown(odd[0])!r}" if odd else "a name comes twice"
        raise InputError(f"{path} does not hold columns of features ({found}). {remedy}")
    return frame


def read_fields(folder: RunFolder, split: str, data: Path = DATA, covariates: bool = True) -> FieldMatrix:
    """The measured fields of a split.

    Raises
    ------
    InputError
        If none were extracted, or a table is not as `extract` wrote it.
    """
    columns = read_columns(folder, data)
    return read_matrix(folder.matrix(split), columns, covariates, folder.command("extract", data))
