"""AnnData files (.h5ad), written in pieces: the matrix by h5py, the annotations by anndata.

The layout is AnnData's documented one ("On-disk format", version 0.1.0 of the whole, 0.2.0 of arrays). Strings go as
plain strings or categories, which every version of anndata and its readers in R understand; nothing is pickled.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.errors import UsageError
from store.flat_table import FlatTable
from store.run_folder import read_config
from store.schema import METADATA_CELL, METADATA_ID, METADATA_SPLIT
from store.untrusted_input import read_names, read_table

CHUNK_ROWS = 64


def write_h5ad(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write X (float32), obs (the Metadata columns), var (the structured columns), uns and, for fields, obsm.

    Raises
    ------
    UsageError
        If anndata is not installed.
    """
    try:
        import h5py
        from anndata.io import write_elem
    except ImportError as error:
        raise UsageError(
            ".h5ad needs the package anndata, which is not installed. Run pip install 'anndata<0.12.7' (later ones put "
            "an older pandas in place of ours), or name a file that ends in .parquet."
        ) from error

    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        obs = _obs(_write_matrix(file, table, pieces), table)
        write_elem(file, "obs", obs)
        write_elem(file, "var", _var(table))
        write_elem(file, "uns", _uns(table))
        write_elem(file, "obsm", _of_fields(table, obs))
        for name in ("layers", "varm", "obsp", "varp"):
            write_elem(file, name, {})


def _write_matrix(file: Any, table: FlatTable, pieces: Iterable[pa.Table]) -> pa.Table:
    """Write X; returns the Metadata columns of all pieces."""
    shape = (table.n_rows, len(table.columns))
    chunks = (min(CHUNK_ROWS, max(shape[0], 1)), max(shape[1], 1))
    matrix = file.create_dataset("X", shape, np.float32, chunks=chunks)
    matrix.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    metadata = [table.schema.empty_table().select(table.metadata)]
    start = 0
    for piece in pieces:
        values = np.empty((len(piece), shape[1]), np.float32)
        for k, name in enumerate(table.columns["name"]):
            values[:, k] = piece.column(name).to_numpy()
        matrix[start : start + len(piece)] = values
        metadata.append(piece.select(table.metadata))
        start += len(piece)
    return pa.concat_tables(metadata)


def _obs(metadata: pa.Table, table: FlatTable) -> pd.DataFrame:
    """The Metadata columns, strings as categories; rows are named field, or field/cell."""
    ids = metadata.column(METADATA_ID).to_pylist()
    if table.level == "cells":
        ids = [f"{field}/{cell}" for field, cell in zip(ids, metadata.column(METADATA_CELL).to_pylist(), strict=True)]
    columns = {
        name: _categories(column) if pa.types.is_string(column.type) else column.to_numpy()
        for name, column in zip(metadata.column_names, metadata.columns, strict=True)
    }
    return pd.DataFrame(columns, index=_strings(ids))


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    coded = column.combine_chunks().dictionary_encode()
    return pd.Categorical.from_codes(coded.indices.fill_null(-1).to_numpy(), _strings(coded.dictionary.to_pylist()))


def _strings(values: Iterable[str]) -> pd.Index:
    """Strings as Python objects, which anndata writes as plain strings whatever pandas' default type is."""
    return pd.Index(list(values), dtype=object)


def _var(table: FlatTable) -> pd.DataFrame:
    several = {name: table.columns[name].map(" ".join) for name in ("channels", "parameters")}
    described = table.columns.assign(**several).drop(columns=["name", "covariate"]).astype(object)
    described["covariate"] = table.columns["covariate"].to_numpy(bool)
    described.index = _strings(table.columns["name"])
    return described


def _uns(table: FlatTable) -> dict[str, Any]:
    """The text of config.json, the package versions of the extraction, and for fields of a fit the class names."""
    config = table.folder.config
    content = read_config(config)
    text = config.read_text(encoding="utf-8") if content else "{}"
    uns = {"level": table.level, "config": text, "versions": content.get("extract", {}).get("versions", {})}
    classes = class_keys(table)
    return uns | ({"classes": _strings(classes).to_numpy()} if classes else {})


def class_keys(table: FlatTable) -> dict[str, str]:
    """The classes of the fit in their order, each with its column in obsm; empty for cells and without a fit."""
    fit = table.folder.fit
    if table.level != "fields" or not (fit.labels.is_file() and fit.probabilities.is_file()):
        return {}
    names = [name for name in read_names(fit.labels) if name != METADATA_ID]
    return dict(zip(names, _keys(names), strict=True))


def _keys(names: Sequence[str]) -> list[str]:
    """Class names as keys of an HDF5 file, where a slash would open a group; made unique with a number."""
    keys: list[str] = []
    for name in names:
        key = name.replace("/", "_")
        keys.append(key if key not in keys and (key == name or key not in names) else f"{key}_{len(keys)}")
    return keys


def _of_fields(table: FlatTable, obs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Labels and out-of-fold probabilities of the training fields if there is a fit; NaN for other fields."""
    classes, found = class_keys(table), {}
    tables = {"labels": table.folder.fit.labels, "out_of_fold": table.folder.fit.probabilities} if classes else {}
    for key, path in tables.items():
        kinds = {METADATA_ID: "text"} | dict.fromkeys(classes, "truth" if key == "labels" else "number")
        fitted = read_table(path, kinds).to_pandas().set_index(METADATA_ID)
        rows = fitted.astype(np.float32).reindex(obs.index)
        rows[(obs[METADATA_SPLIT] != "train").to_numpy()] = np.nan
        found[key] = pd.DataFrame(rows.to_numpy(), obs.index, _strings(classes.values()))
    return found
