"""After `extract` of many fields: places of fields and cells, so that `review` shows its maps at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from threadpoolctl import threadpool_limits

from engine.running.progress import progress
from review.cell_tables import table_paths
from review.extracted import read_extracted
from review.kept_places import KeptPlaces
from review.matrix_values import MatrixValues
from store.run_folder import RunFolder

FEWEST, MOST = 2_000, 100_000
"""Fields: fewer are placed within a second when the page starts; more would need over 0.5 GB at a time."""


def keep_places(folder: RunFolder, data: Path, quiet: bool) -> None:
    """Find the places of all fields and cells of a finished extraction and keep them, unless they are kept already."""
    fields = read_extracted(folder, data)
    if not FEWEST <= len(fields.ids) <= MOST:
        return
    values, paths = MatrixValues(folder, fields.columns, fields.kept), table_paths(folder)
    kept = KeptPlaces(folder, fields.ids, fields.columns, values.of)
    # BLAS has one thread, as in review: so the places are the same for any number of cores.
    with threadpool_limits(1), ThreadPoolExecutor(1) as beside:
        placed = beside.submit(kept.fields)  # computed while the tables of cells are read
        with progress("place cells", len(paths), "shards", quiet) as bar:
            index = kept.cells(paths, bar)
        cells = index.sample()
        with progress("map cells", len(index.by_shard(cells)), "shards", quiet) as bar:
            kept.cell_map(index, cells, bar)
        placed.result()
