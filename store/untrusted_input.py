"""Reading tables and arrays of a run folder as untrusted input: columns, types and shapes are checked.

A run folder may come from a stranger, or from a disk that was full. A small file that claims to hold billions of rows
is rejected before memory is allocated.
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
_UNPACKED = 64  # a table may be this many times larger in memory than its file; ours are a few times larger
_SMALL = 2**24  # bytes that any table may have in memory
_LONGEST = 1000  # characters of a text
_WIDTH, _WIDTH_OF_TRUTH = 8, 1  # bytes of a value, at most
_COLUMNS_AT_ONCE = 128  # columns read at a time: of a group of rows they stay in the processor's cache


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


_KINDS: Mapping[str, Callable[[pa.DataType], bool]] = MappingProxyType({
    "text": _is_text,
    "texts": lambda kind: (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_text(kind.value_type),
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
        Their kinds: "text" (none missing, at most 1,000 characters), "texts" (lists of such), "number", "whole number"
        or "truth". A column of numbers holds no infinity.
    remedy : str
        What the user can do.

    Raises
    ------
    InputError
        If the file is missing, damaged, larger than its size on disk can be, or lacks a column of this kind.
    """
    with _opened(path, remedy) as file:
        _look(path, file, columns, remedy)
        # As dictionaries, so that a long text that appears often is in memory once.
        texts = [leaf for name, kind in columns.items() if kind in ("text", "texts") for leaf in _leaves(file, name)]
    try:
        # Without metadata: pandas would trust the column types that it states.
        table = pq.read_table(path, columns=list(columns), read_dictionary=texts).replace_schema_metadata(None)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _unusable(path, f"it is damaged ({shown(str(error), 200)})", remedy) from error
    return _checked(path, table, columns, remedy)


def read_numbers(path: Path, names: Sequence[str], remedy: str = AGAIN) -> np.ndarray:
    """Read columns of numbers in pieces, so that they are in memory only once.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_names)
        NaN where a value is missing.

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
                infinite = np.isinf(values[start:stop, k : k + len(some)]).any(0)
                if infinite.any():
                    name = shown(some[int(np.argmax(infinite))])
                    raise _unusable(path, f"its column {name} holds an infinite number", remedy)
            start = stop
    return values


def _look(path: Path, file: pq.ParquetFile, columns: Mapping[str, str], remedy: str) -> None:
    """Raise InputError if a column is missing or of another type, or the stated size is impossible for the file."""
    schema, n_rows = file.schema_arrow, file.metadata.num_rows
    types = dict(zip(schema.names, schema.types, strict=True))
    if len(types) < len(schema):
        raise _unusable(path, "a column comes twice", remedy)
    for name, kind in columns.items():
        if name not in types or not _KINDS[kind](types[name]):
            found = types.get(name, "no such column")
            raise _unusable(path, f"its column {shown(name)} should hold {kind} (found {found})", remedy)
    widths = [_WIDTH_OF_TRUTH if kind == "truth" else _WIDTH for kind in columns.values()]
    n_inner = sum(_n_inner(file, name) for name, kind in columns.items() if kind == "texts")
    if n_rows * sum(widths) + n_inner * _WIDTH > _UNPACKED * path.stat().st_size + _SMALL:
        inner = f" and {n_inner:,} texts in them" if n_inner else ""
        raise _unusable(path, f"it says it has {n_rows:,} rows{inner}, in {path.stat().st_size:,} bytes", remedy)


def _leaves(file: pq.ParquetFile, name: str) -> list[str]:
    """The paths under which parquet stores a column's values: its name, for lists with a suffix."""
    paths = (file.schema.column(k).path for k in range(len(file.schema)))
    return [path for path in paths if path in (name, f"{name}.list.element", f"{name}.list.item")]


def _n_inner(file: pq.ParquetFile, name: str) -> int:
    """How many values the lists of a column hold, as stated in the file."""
    leaves = _leaves(file, name)
    groups = (file.metadata.row_group(k) for k in range(file.num_row_groups))
    chunks = (group.column(k) for group in groups for k in range(group.num_columns))
    return sum(chunk.num_values for chunk in chunks if chunk.path_in_schema in leaves)


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
        if kind in ("text", "texts"):
            parts = [chunk if kind == "text" else chunk.flatten() for chunk in column.chunks]
            if any(part.null_count for part in parts):
                raise _unusable(path, f"its column {shown(name)} has gaps", remedy)
            if any(word is not None and len(word) > _LONGEST for part in parts for word in part.dictionary.to_pylist()):
                raise _unusable(path, f"its column {shown(name)} holds a text of over {_LONGEST:,} characters", remedy)
            at = table.column_names.index(name)
            plain = pa.string() if kind == "text" else pa.list_(pa.string())
            table = table.set_column(at, name, column.cast(plain))
    return table


def check_ids(path: Path, ids: list[str], remedy: str = AGAIN) -> None:
    """Raise InputError if an id is invalid or appears twice."""
    for field in ids:
        if reason := why_no_id(field):
            raise _unusable(path, f"the id {shown(field)!r} {reason}", remedy)
    if len(set(ids)) != len(ids):
        raise _unusable(path, "an id comes twice", remedy)


def read_array(path: Path, dtype: type, shape: tuple[int | None, ...], remedy: object = AGAIN) -> np.ndarray:
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


def _unusable(path: Path, reason: str, remedy: object) -> InputError:
    return InputError(f"{path} cannot be used: {reason}. {remedy}")
