"""`importances`: measures the importances of a fit once, keeps them in the run folder, prints them in words."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from commands.job import Job
from engine.outcome import Outcome
from engine.running.progress import progress
from models.explanation.importance import (
    ImportanceSettings,
    find_learnt,
    measure_importance,
    top,
)
from models.explanation.importance_file import importance_stamp, read_importance, write_importance
from models.explanation.readable import LEAST_SHARE, counterparts
from models.fitted import Fitted
from models.saved_fit import read_fitted_fields
from report.embedding_words import what_goes_with_it, without_embedding
from report.feature_descriptions import (
    blocks_in_words,
    channel_in_words,
    columns_in_words,
    compartment_in_words,
    family_in_words,
)
from report.rows import rows_of
from store.classes import Classes
from store.matrix import EMBEDDING, FieldMatrix, matrix_columns, read_columns
from store.run_folder import RunFolder
from store.stamp import stamp_of


def importance_of(
    folder: RunFolder,
    fitted: Fitted,
    fitted_fields: Callable[[], FieldMatrix],
    settings: ImportanceSettings,
    quiet: bool,
) -> pd.DataFrame:
    """The importances of a fit: read if they are up to date, else measured and written.

    Parameters
    ----------
    fitted_fields : callable
        Returns what `read_fitted_fields` does; called only if the importances must be measured.
    """
    settings = replace(settings, seed=fitted.settings.seed)
    mark = importance_stamp(fitted, settings)
    if stamp_of(folder.importance) == mark:
        return read_importance(folder.importance, matrix_columns(read_columns(folder)), fitted.classes)
    matrix = fitted_fields()
    with progress("importances", fitted.settings.n_folds, "folds", quiet) as bar:
        importance = measure_importance(fitted, matrix, settings, bar)
    write_importance(folder.importance, importance, mark)
    return importance


def all_lines(importance: pd.DataFrame, fitted: Fitted) -> list[str]:
    """For the terminal: the three families of each class with the largest share of the contributions."""
    learnt = fitted.classes.named(fitted.trainable)
    others = fitted.classes.named(~fitted.trainable)
    lines = [f"too few fields or groups with it, or without it, to train on: {', '.join(others)}"] if others else []
    width = max(map(len, learnt), default=0) + 2
    for name in learnt:
        rows = top(importance, name, "family", 3)
        leading = ", ".join(
            f"{family_in_words(row['what'])} {row['share_mean']:.0%}{_readable(importance, name, row['what'])}"
            for row in rows_of(rows)
        )
        lines.append(f"{name:{width}s}{leading}")
    return lines


def _readable(importance: pd.DataFrame, organelle: str, family: str) -> str:
    """How much of the embedding's part classical features explain; "" for other families."""
    found = counterparts(importance, organelle) if family == EMBEDDING else None
    if found is None:
        return ""
    return f" ({found.share:.0%} of it readable)" if found.share >= LEAST_SHARE else " (not readable)"


def organelle_lines(folder: RunFolder, importance: pd.DataFrame, organelle: str, n: int) -> list[str]:
    """For the terminal: one organelle's features, then its groups, all in words; what matters most comes last."""
    columns, name = matrix_columns(read_columns(folder)), find_learnt(importance, organelle)
    readable = without_embedding(importance, columns)
    levels = {
        "feature": columns_in_words(columns).__getitem__, "block": blocks_in_words(columns).__getitem__,
        "family": family_in_words, "compartment": compartment_in_words, "channel": channel_in_words,
    }  # fmt: skip
    lines = [
        f"{name}: share of all contributions (Shapley values) ± over the folds; average precision lost when the group "
        "is permuted ± over the folds; mean size of a contribution in log-odds"
    ]
    for level, in_words in levels.items():
        heading = "family, channel and compartment together" if level == "block" else level
        heading += " (without those of the embedding)" if level == "feature" and len(readable) < len(importance) else ""
        lines += [f"by {heading}:", *_in_lines(top(readable, organelle, level, n), in_words)]
    if found := counterparts(importance, name):
        lines.append(what_goes_with_it(found, columns_in_words(columns.drop(columns="pool"))))
    leading = [
        ", ".join(f"{levels[level](row['what'])} {row['share_mean']:.0%}" for row in rows_of(rows))
        for level in ("channel", "compartment", "family")
        if len(rows := top(importance, organelle, level, 3))
    ]
    return [*lines, f"{name} in short: {'; '.join(leading)}"]


def _in_lines(rows: pd.DataFrame, in_words: Callable[[str], str]) -> list[str]:
    """A line for each row: the measures, then the words; a feature's words end with its name.

    What adds nothing at all, such as a stain that the images do not have, is left out.
    """
    lines = []
    for row in rows_of(rows[rows["shap_mean"] > 0]):
        lost = ""
        if not np.isnan(row["permutation_mean"]):
            lost = f"  {row['permutation_mean']:+.3f} ± {row['permutation_sd']:.3f}"
        name = f"  [{row['what']}]" if row["level"] == "feature" else ""
        share, words = f"{row['share_mean']:6.1%} ± {row['share_sd']:5.1%}", in_words(row["what"])
        lines.append(f"  {share}{lost}  {row['shap_mean']:5.2f}  {words}{name}")
    return lines


def show(
    job: Job, importance: pd.DataFrame, fitted: Fitted, organelle: str | None, plot: Path | None, n: int
) -> Outcome:
    """Report the importances of one organelle or all, and draw them if a picture is wanted."""
    folder = job.folder
    lines = organelle_lines(folder, importance, organelle, n) if organelle else all_lines(importance, fitted)
    if plot is not None:
        from report.importance_plot import plot as draw

        draw(importance, plot, organelle)
        lines.append(f"picture in {plot}")
    lines.append(f"table in {folder.importance}")
    facts = {"importance": str(folder.importance), "plot": str(plot) if plot else None}
    return Outcome(tuple(lines), folder.command("report"), facts)


def check_request(classes: Classes, organelle: str | None, plot: Path | None) -> str | None:
    """The class's full name; refuses an unknown class or image format before any work."""
    if plot is not None:
        from report.importance_plot import check_form

        check_form(plot)
    return classes.find(organelle) if organelle is not None else None


def importance_of_run(folder: RunFolder, fitted: Fitted, workers: int, quiet: bool) -> pd.DataFrame:
    """The importances of a run's fit, measured if they are missing or out of date."""
    fields = partial(read_fitted_fields, folder, fitted)
    return importance_of(folder, fitted, fields, ImportanceSettings(workers=workers), quiet)
