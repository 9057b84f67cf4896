"""HPA-like fields with known labels, in Kaggle's layout: for trying everything out without a download.

Four channels (microtubules, protein, nucleus, ER) of cells of several lines; the protein shows the organelles of its
labels, each drawn by its own recipe in the terms of its definition. The fields of one antibody share more than their
labels (gain, background, the style of each recipe), as real ones do, so that folds which split an antibody look better
than they are. Scores on these fields say that a pipeline works, not how well it would do on real ones.
"""

from collections.abc import Callable
from pathlib import Path

from engine.errors import UsageError
from engine.running.parallel import run_tasks
from simulate.plan import make_plan
from simulate.write import prepare_folder, write_field, write_tables

__all__ = ["simulate"]

SMALLEST_SIZE = 64


def simulate(
    data: Path,
    fields: int = 500,
    test_fields: int = 50,
    size: int = 512,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a simulated data set: same arguments, same bytes, however many workers.

    Writes train.csv, train/, test/, sample_submission.csv, test_truth.csv (the labels of the test fields), groups.csv
    (antibody and cell line of each field) and simulated.json (which marks the folder as simulated). A run that was
    interrupted goes on where it stopped; with other arguments the folder's simulated fields are replaced.

    Parameters
    ----------
    data : Path
        Folder to write; made if absent.
    fields, test_fields : int
        Number of training and test fields. Their antibodies are different ones.
    size : int
        Width and height in px. A smaller field shows fewer cells, not smaller ones.
    seed : int
        Not negative. Field i is drawn from `numpy.random.SeedSequence([seed, i])`.
    workers : int
        Processes.
    progress : callable, optional
        Called as `progress(done, total)` after each field.

    Raises
    ------
    UsageError
        If a number is out of range.
    InputError
        If the folder holds data that was not simulated, which would be overwritten.
    """
    if fields < 1 or test_fields < 0 or size < SMALLEST_SIZE or seed < 0:
        raise UsageError(
            f"simulate needs at least 1 field, 0 test fields, {SMALLEST_SIZE} px and a seed of 0; "
            f"found {fields} fields, {test_fields} test fields, {size} px, seed {seed}."
        )
    plan = make_plan(fields, test_fields, seed)
    prepare_folder(data, {"fields": fields, "test_fields": test_fields, "size": size, "seed": seed})
    write_tables(data, plan)
    units = [(data, one, size, seed) for one in plan]
    for done, _ in enumerate(run_tasks(write_field, units, workers), 1):
        if progress is not None:
            progress(done, len(units))
