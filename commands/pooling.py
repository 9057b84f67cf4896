"""Pooling the cells of every field into the matrices train.parquet and test.parquet, and describing their columns."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from engine.running.parallel import run_tasks
from engine.running.progress import Progress, progress
from features.extraction.batches import cell_columns
from features.extraction.field_level import field_columns
from features.extraction.pooled_shards import is_pooled, pool_again, pooled_shard
from features.extraction.pooling import pooling_code
from features.extraction.settings import ExtractSettings
from store.channels import IMAGE
from store.columns import columns_frame, write_column_table
from store.matrix import write_matrix
from store.run_folder import RunFolder
from store.shards import Shard
from store.stamp import stamp, stamp_of


def pool(
    folder: RunFolder, settings: ExtractSettings, shards: dict[str, list[Shard]], workers: int, quiet: bool
) -> int:
    """Pool every split into its matrix; returns the number of features of a cell."""
    columns = write_columns(folder, settings)
    for of_split in shards.values():
        pool_split(folder, of_split, columns, workers, quiet)
    return int((columns["compartment"] != IMAGE).sum())


def write_columns(folder: RunFolder, settings: ExtractSettings) -> pd.DataFrame:
    """Write columns.parquet, the structured names of the cells' and the fields' features."""
    frame = table_columns(settings)
    write_column_table(folder.columns, frame)
    return frame


def table_columns(settings: ExtractSettings) -> pd.DataFrame:
    """The structured names of the cells' and the fields' features."""
    return columns_frame((*cell_columns(settings), *field_columns()))


def pool_split(folder: RunFolder, shards: list[Shard], columns: pd.DataFrame, workers: int, quiet: bool) -> None:
    """Pool the cells of a split into its field matrix, unless the matrix on disk has today's stamp."""
    split = shards[0].split
    mark = stamp(list(columns["name"]), [shard.stamp for shard in shards], pooling_code())
    path = folder.matrix(split)
    if stamp_of(path) == mark:
        return
    with progress(f"pool {split}", len(shards), "shards", quiet) as bar:
        write_matrix(path, _pooled(shards, columns, workers, bar), columns, mark)


def _pooled(
    shards: list[Shard], columns: pd.DataFrame, workers: int, bar: Progress
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the pooled shards in the order of the ids, once workers have pooled those that are out of date.

    They are read in this process: to read the rows of a shard takes less time than to send them.
    """
    old = [shard for shard in shards if not is_pooled(shard, columns)]
    for _ in run_tasks(pool_again, ((shard, columns) for shard in old), workers):
        bar.advance()
    pooled_now = {shard.name for shard in old}
    for shard in shards:
        yield pooled_shard(shard, columns)
        if shard.name not in pooled_now:
            bar.advance()
