"""The shards' tables of cells: some columns and rows of each, read by several threads.

Opening a table of 2,400 columns takes 10 ms, most of it for the description of its columns; a column takes 0.03 ms. So
each question opens a table once, and as few tables as it can.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.ids import shown
from engine.running.workers import default_workers
from store.columns import values_by_column
from store.run_folder import SPLITS, RunFolder

MOST_THREADS = 8

Item = TypeVar("Item")
Read = TypeVar("Read")


def table_paths(folder: RunFolder) -> tuple[Path, ...]:
    """The tables of cells, training fields first."""
    return tuple(path for split in SPLITS for path in sorted((folder.features / "cells").glob(f"{split}-*.parquet")))


def read_all(items: Iterable[Item], read: Callable[[Item], Read]) -> Iterator[Read]:
    """`read` of each item in the order of the items, by as many threads as there are cores, at most `MOST_THREADS`.

    A caller that stops early, or an error, ends the reading.
    """
    n = min(default_workers(), MOST_THREADS)
    with ThreadPoolExecutor(n) as threads:
        further = iter(items)
        # Few at a time: at the end of the process Python waits for all that were handed in.
        waiting = deque(threads.submit(read, item) for item in islice(further, 2 * n))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(threads.submit(read, item) for item in islice(further, 1))
                yield found
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def read_columns(path: Path, names: list[str]) -> pa.Table:
    """Columns of one table.

    Raises
    ------
    InputError
        If it is damaged, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:  # a fifth of the time of read_table, for one of 2,400 columns
            table = file.read(columns=names, use_threads=False)
        if missing := set(names) - set(table.column_names):
            raise KeyError(min(missing))
        return table
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be used ({shown(str(error), 200)}). Run extract again.") from error


def read_features(path: Path, names: list[str], rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Features of some cells of one table: float32, shape (n_rows, n_names); raises as `read_columns` does."""
    by_column = values_by_column(read_columns(path, names).select(names))
    return by_column[:, rows].T.copy()
