"""Tables and arrays read back from a run folder: of the wanted columns, kinds and shapes, or a sentence that says so.

A run folder may come from a stranger, or from a disk that was full. What stands in it is believed only after a look: a
small file that claims to hold billions of rows is refused before anything is made room for.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.ids import shown, why_no_id

AGAIN = "Remove it, and run the command that wrote it again."
_UNPACKED = 64  # times a file's size that its table may have; what we write has a few
_SMALL = 2**24  # bytes that any table may have
_LONGEST = 1000  # characters of a text
_WIDTH = 8  # bytes of a value, at most
_COLUMNS_AT_ONCE = 512  # that are read

_KINDS: Mapping[str, Callable[[pa.DataType], bool]] = MappingProxyType({
    "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind),
    "number": pa.types.is_floating,
    "whole number": pa.types.is_integer,
    "truth": pa.types.is_boolean,
})  # fmt: skip


def read_names(path: Path, remedy: str = AGAIN) -> list[str]:
    """The columns of a parquet table; raises InputError if it is missing or damaged."""
    with _opened(path, remedy) as file:
        return list(file.schema_arrow.names)


def read_table(path: Path, columns: Mapping[str, str], remedy: str = AGAIN) -> pa.Table:
    """Read some columns of a parquet table.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str
        Their kinds: "text" (none missing, at most 1,000 characters), "number", "whole number" or "truth". A column of
        numbers holds no infinity.
    remedy : str
        What the user can do.

    Raises
    ------
    InputError
        If the file is missing, damaged, larger than its size on disk can be, or lacks a column of this kind.
    """
    with _opened(path, remedy) as file:
        _look(path, file, columns, remedy)
    texts = [name for name, kind in columns.items() if kind == "text"]
    try:
        # Without metadata: pandas would believe the kinds of columns that it says there.
        table = pq.read_table(path, columns=list(columns), read_dictionary=texts).replace_schema_metadata(None)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _unusable(path, f"it is damaged ({shown(str(error), 200)})", remedy) from error
    return _checked(path, table, columns, remedy)


def read_numbers(path: Path, names: Sequence[str], remedy: str = AGAIN) -> np.ndarray:
    """Read columns of numbers piece by piece, so that they are in memory once.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_names)
        NaN where there is none.

    Raises
    ------
    InputError
        As `read_table` does.
    """
    with _opened(path, remedy) as file:
        _look(path, file, dict.fromkeys(names, "number"), remedy)
        values, start = np.empty((file.metadata.num_rows, len(names)), np.float32), 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            for k in range(0, len(names), _COLUMNS_AT_ONCE):
                some = names[k : k + _COLUMNS_AT_ONCE]
                try:
                    table = file.read_row_group(group, some).select(some)
                    for c, column in enumerate(table.columns, start=k):
                        values[start:stop, c] = column.to_numpy()
                except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
                    raise _unusable(path, f"it is damaged ({shown(str(error), 200)})", remedy) from error
            start = stop
    infinite = np.isinf(values).any(0)
    if infinite.any():
        raise _unusable(path, f"its column {shown(names[int(np.argmax(infinite))])} holds an infinite number", remedy)
    return values


def _look(path: Path, file: pq.ParquetFile, columns: Mapping[str, str], remedy: str) -> None:
    """Raise InputError if the table lacks a column of its kind, or says that it is larger than it can be."""
    schema, n_rows = file.schema_arrow, file.metadata.num_rows
    types = dict(zip(schema.names, schema.types, strict=True))
    if len(types) < len(schema):
        raise _unusable(path, "a column comes twice", remedy)
    for name, kind in columns.items():
        if name not in types or not _KINDS[kind](types[name]):
            found = types.get(name, "no such column")
            raise _unusable(path, f"its column {shown(name)} should hold {kind} (found {found})", remedy)
    if n_rows * len(columns) * _WIDTH > _UNPACKED * path.stat().st_size + _SMALL:
        raise _unusable(path, f"it says it has {n_rows:,} rows, in {path.stat().st_size:,} bytes", remedy)


def _opened(path: Path, remedy: str) -> pq.ParquetFile:
    if not path.is_file():
        raise InputError(f"{path} is missing. {remedy}")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _unusable(path, f"it is no parquet table ({shown(str(error), 200)})", remedy) from error


def _checked(path: Path, table: pa.Table, columns: Mapping[str, str], remedy: str) -> pa.Table:
    """The table with its texts as plain strings."""
    for name, kind in columns.items():
        column = table.column(name)
        if kind != "number" and column.null_count:
            raise _unusable(path, f"its column {shown(name)} has gaps", remedy)
        if kind == "number" and np.isinf(column.to_numpy()).any():
            raise _unusable(path, f"its column {shown(name)} holds an infinite number", remedy)
        if kind == "text":
            words = [chunk.dictionary for chunk in column.chunks]
            if any(word is not None and len(word) > _LONGEST for part in words for word in part.to_pylist()):
                raise _unusable(path, f"its column {shown(name)} holds a text of over {_LONGEST:,} characters", remedy)
            at = table.column_names.index(name)
            table = table.set_column(at, name, column.cast(pa.string()))
    return table


def check_ids(path: Path, ids: list[str], remedy: str = AGAIN) -> None:
    """Raise InputError if an id is unusable or comes twice."""
    for field in ids:
        if reason := why_no_id(field):
            raise _unusable(path, f"the id {shown(field)!r} {reason}", remedy)
    if len(set(ids)) != len(ids):
        raise _unusable(path, "an id comes twice", remedy)


def read_array(path: Path, dtype: type, shape: tuple[int | None, ...], remedy: str = AGAIN) -> np.ndarray:
    """Read a .npy file of this type and shape (None: any length); raises InputError if it is missing or another."""
    if not path.is_file():
        raise InputError(f"{path} is missing. {remedy}")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        fits = isinstance(array, np.ndarray) and array.dtype == np.dtype(dtype) and len(array.shape) == len(shape)
    except Exception as error:  # NumPy reads the header as Python and raises whatever that raises
        raise _unusable(path, f"it is no array ({shown(str(error), 200)})", remedy) from error
    if not fits or any(wanted not in (None, found) for wanted, found in zip(shape, array.shape, strict=True)):
        wanted = " x ".join("n" if length is None else str(length) for length in shape)
        raise _unusable(path, f"expected {wanted} values of {np.dtype(dtype)}", remedy)
    return np.array(array)


def _unusable(path: Path, reason: str, remedy: str) -> InputError:
    return InputError(f"{path} cannot be used: {reason}. {remedy}")
