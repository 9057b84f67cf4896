"""What `fit` says at its end: the data, what could not be learnt, the scores, and where the tables are."""

from typing import Any

import numpy as np

from commands.data_quality import DataQuality
from commands.job import Job
from engine.counted import counted
from engine.files import read_json
from engine.outcome import Outcome
from models.data.labels_per_field import AT_MOST_ONE, EXCLUSIVE, keeps_to
from models.data.trainability import reason_lines, why_not_trainable
from models.data.training_set import TrainingSet
from models.fitted import Fitted


def fit_outcome(job: Job, training: TrainingSet, fitted: Fitted, quality: DataQuality) -> Outcome:
    """Report the data, the scores, and where the tables are."""
    folder = job.folder
    metrics = read_json(folder.fit.metrics)
    macro, folds = metrics["macro"], metrics["folds"]
    kind = f"{'simulated fields, ' if metrics['simulated'] else ''}{folds} folds"
    lines = [
        f"{counted(len(training.labels), 'field')} in {counted(len(np.unique(training.groups)), 'group')} "
        f"(from {training.groups_from})",
        *training.remarks,
        *_calls_lines(training, fitted.settings.per_field),
        *_unlearnt_lines(training, fitted),
    ]
    if fitted.plates is not None:
        wells = f" from wells {', '.join(fitted.settings.controls)}" if fitted.settings.controls else ""
        n_plates = len(np.unique(fitted.plates.names))
        lines.append(f"features normalised by {fitted.settings.normalise_by}{wells}: {n_plates} of them")
    lines += [f"{name}: average precision {ap:.3f}" for name, ap in _left_out_scores(metrics["splits"])]
    lines += corrections_lines(training)
    if training.n_unmeasured:
        unmeasured = counted(training.n_unmeasured, "labelled field")
        lines.append(f"{unmeasured} without features (image missing or unusable)")
    if macro["n_organelles"]:
        lines.append(
            f"macro over {training.classes.counted(macro['n_organelles'])} ({kind}): average precision "
            f"{macro['ap']:.3f} (chance {macro['chance_ap']:.3f}), F1 {macro['f1']:.3f}"
        )
    lines += [f"leaderboard in {folder.fit.leaderboard}", *quality.lines(folder)]
    facts = {
        "leaderboard": str(folder.fit.leaderboard),
        "folds": folds,
        "simulated": metrics["simulated"],
        "macro": macro,
    }
    facts |= {"corrected": training.n_corrected, "unusable": training.n_unusable, "unlabelled": training.n_unlabelled}
    facts |= {"corrections_of_test": training.n_of_test, "corrections_of_unknown": training.n_unknown}
    facts |= {"duplicates": str(folder.duplicates), "label_errors": str(folder.label_errors)}
    return Outcome(tuple(lines), folder.command("report", job.data), facts)


def _calls_lines(training: TrainingSet, per_field: str) -> list[str]:
    """That a field is called for one class at most, where it is, and why."""
    if per_field not in EXCLUSIVE or training.labels.shape[1] == 1:
        return []
    why = "the settings say so"
    if keeps_to(training.labels, AT_MOST_ONE):
        why = 'no label names two (a line calls_per_field = "any" in --settings FILE allows several)'
    return [f"each field is called for {per_field} class: {why}"]


def corrections_lines(training: TrainingSet) -> list[str]:
    """How many labels were corrected, how many fields are left out, and how many corrections are of other fields."""
    counts = {
        "with labels corrected in corrections.csv": training.n_corrected,
        "marked as unusable in corrections.csv and left out": training.n_unusable,
        "without a label left out": training.n_unlabelled,
    }
    lines = [f"{counted(n, 'field')} {what}" for what, n in counts.items() if n]
    if training.n_of_test:
        lines.append(
            f"corrections.csv names {counted(training.n_of_test, 'test field')}: test fields are not learnt from"
        )
    if training.n_unknown:
        ids = counted(training.n_unknown, "id")
        lines.append(f"corrections.csv names {ids} that no measured field has: mistyped, or the images failed")
    return lines


def _unlearnt_lines(training: TrainingSet, fitted: Fitted) -> list[str]:
    """How many classes could not be learnt, and why."""
    reasons = why_not_trainable(training.labels, fitted.groups, fitted.fold)
    n = sum(bool(reason) for reason in reasons)
    head = f"not learnt: {n} of {training.classes.counted(len(training.classes.names))}"
    return [head, *(f"  {line}" for line in reason_lines(training.classes.names, reasons))]


def _left_out_scores(splits: dict[str, Any]) -> list[tuple[str, float]]:
    """Name and average precision of the rows that compare whole plates left out with the usual folds."""
    if not any("left out" in name for name in splits):
        return []
    return [(name, row["ap"]) for name, row in splits.items() if name.endswith("all folds") and row["ap"] is not None]
