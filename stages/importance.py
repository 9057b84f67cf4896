"""importance.parquet of a run: measured once for a fit, then read."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from engine.errors import InputError
from engine.files import digest, digest_sources, read_json
from engine.progress import progress
from engine.run_folder import RunFolder
from models import importance as _importance
from models.fitted import load
from models.importance import ImportanceSettings, measure_importance, read_importance, write_importance
from models.labels import read_labels
from models.matrix import read_matrix
from stages.fitting import read_columns


def ready_importance(folder: RunFolder, workers: int, quiet: bool) -> pd.DataFrame:
    """The importances of a run's fit; measured now if the fit or the code is newer than the table.

    Parameters
    ----------
    folder : RunFolder
        With a finished fit; the labels are read from the data folder that it was made from.
    workers : int
        Processes.
    quiet : bool
        Show no progress.

    Returns
    -------
    DataFrame
        As `models.importance.measure_importance` gives it.

    Raises
    ------
    InputError
        If there is no fit, or its data folder has gone.
    """
    fitted = load(folder.models)
    settings = ImportanceSettings(seed=fitted.settings.seed, workers=workers)
    resolved = {name: value for name, value in asdict(settings).items() if name != "workers"}
    fit_key = read_json(folder.models / "fit.json")["key"]
    made_of = digest([fit_key, resolved, digest_sources(Path(_importance.__file__).parent)])
    if _importance.importance_made_of(folder.importance) == made_of:
        return read_importance(folder.importance)
    matrix = read_matrix(folder.matrix("train"), read_columns(folder))
    labels = read_labels(fitted_data(folder) / "train.csv").of(matrix.ids)
    with progress("importances", fitted.settings.n_folds, "folds", quiet) as bar:
        table = measure_importance(fitted, matrix, labels, settings, bar)
    write_importance(folder.importance, table, made_of)
    return table


def fitted_data(folder: RunFolder) -> Path:
    """The data folder that a run was fitted on.

    Raises
    ------
    InputError
        If the run was not fitted.
    """
    config = read_json(folder.config) if folder.config.is_file() else {}
    if "fit" not in config:
        raise InputError(f"{folder.config} tells of no fit. Run python cli.py fit --run {folder.root} first.")
    return Path(config["fit"]["data"])
