"""Importances of a finished fit: measured once, kept in the run folder, shown in words."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

import models
from engine.errors import InputError
from engine.files import digest, digest_sources, made_from
from engine.progress import progress
from engine.run_folder import RunFolder
from engine.stored import read_table
from models.fitted import Fitted
from models.importance import (
    ImportanceSettings,
    find_learnt,
    importance_made_of,
    measure_importance,
    read_importance,
    top,
    write_importance,
)
from models.labels import ORGANELLES
from models.matrix import FieldMatrix, matrix_columns
from models.words import blocks_in_words, channel_in_words, columns_in_words, compartment_in_words, family_in_words
from stages.fitting import read_columns, read_fields


def read_fitted_fields(folder: RunFolder) -> tuple[FieldMatrix, np.ndarray]:
    """The training fields of a run and their labels (bool, shape (n_fields, 28)), as they were fitted on."""
    matrix, remedy = read_fields(folder, "train"), f"Run {folder.command('fit')} again."
    labels = read_table(folder.oof, {f"{name} label": "truth" for name in ORGANELLES}, remedy)
    if len(labels) != len(matrix.values):
        raise InputError(f"{folder.oof} has {len(labels)} rows for {len(matrix.values)} fields with features. {remedy}")
    return matrix, np.stack([column.to_numpy() for column in labels.columns], axis=1)


def importance_of(
    folder: RunFolder,
    fitted: Fitted,
    fitted_fields: Callable[[], tuple[FieldMatrix, np.ndarray]],
    settings: ImportanceSettings,
    quiet: bool,
) -> pd.DataFrame:
    """The importances of a fit: read where they were measured from it in this way, else measured and written.

    Parameters
    ----------
    fitted_fields : callable
        Gives what `read_fitted_fields` does; called only where there is something to measure.
    """
    settings = replace(settings, seed=fitted.settings.seed)
    made_of = _made_of(folder, settings)
    if importance_made_of(folder.importance) == made_of:
        return read_importance(folder.importance, matrix_columns(read_columns(folder)))
    matrix, labels = fitted_fields()
    with progress("importances", fitted.settings.n_folds, "folds", quiet) as bar:
        importance = measure_importance(fitted, matrix, labels, settings, bar)
    write_importance(folder.importance, importance, made_of)
    return importance


def _made_of(folder: RunFolder, settings: ImportanceSettings) -> str:
    """A hash of the fit, of how it is looked at, and of the code that looks."""
    how = {name: value for name, value in asdict(settings).items() if name != "workers"}
    code = digest_sources(Path(models.__file__).parent)
    return digest([made_from(folder.models / "fit.json"), how, code])


def all_lines(importance: pd.DataFrame, fitted: Fitted) -> list[str]:
    """For the terminal: each organelle's three leading families by share of gain."""
    lines = []
    for j, name in enumerate(ORGANELLES):
        if fitted.evaluable[j]:
            rows = top(importance, name, "family", 3)
            leading = ", ".join(f"{family_in_words(r.what)} {r.gain_mean:.0%}" for r in rows.itertuples())
            lines.append(f"{name:31s}{leading}")
        else:
            lines.append(f"{name:31s}too few positive fields to be learnt")
    return lines


def organelle_lines(folder: RunFolder, importance: pd.DataFrame, organelle: str, n: int) -> list[str]:
    """For the terminal: one organelle's groups, then its features, all in words."""
    columns = matrix_columns(read_columns(folder))
    said = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words}
    lines = [
        f"{find_learnt(importance, organelle)}: share of the gain and average precision lost when the group is "
        "permuted, each ± over the folds; mean SHAP"
    ]
    for level, in_words in said.items():
        lines += [f"by {level}:", *_told(top(importance, organelle, level, n), in_words)]
    lines += ["family, channel and compartment together:"]
    lines += _told(top(importance, organelle, "block", n), blocks_in_words(columns).__getitem__)
    lines += ["by feature:", *_told(top(importance, organelle, "feature", n), columns_in_words(columns).__getitem__)]
    return lines


def _told(rows: pd.DataFrame, in_words: Callable[[str], str]) -> list[str]:
    """A line a row: measures that were taken, then words; a feature's words end with its name."""
    lines = []
    for row in rows.itertuples():
        lost = ""
        if not np.isnan(row.permutation_mean):
            lost = f"  {row.permutation_mean:+.3f} ± {row.permutation_sd:.3f}"
        name = f"  [{row.what}]" if row.level == "feature" else ""
        lines.append(
            f"  {row.gain_mean:6.1%} ± {row.gain_sd:5.1%}{lost}  {row.shap_mean:5.2f}  {in_words(row.what)}{name}"
        )
    return lines
