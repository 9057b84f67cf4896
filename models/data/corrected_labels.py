"""The labels of train.csv with the corrections that people made (corrections.csv)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.ids import shown
from models.data.labels import Labels, read_labels
from models.data.targets import classes_of
from store.corrections import Correction, Journal, Standing, as_they_stand

TRAIN, CORRECTED = "train.csv", "corrections.csv"


@dataclass(frozen=True)
class CorrectedLabels:
    """Labels as they stand.

    Attributes
    ----------
    labels : Labels
        Of all labelled fields; those of train.csv first.
    standing : dict of str to Standing
        The fields that were corrected.
    given : frozenset of str
        The fields that train.csv lists.
    unfinished : str
        The last line of corrections.csv where it lacks its line break, so that it was not read; else "".
    """

    labels: Labels
    standing: dict[str, Standing]
    given: frozenset[str] = frozenset()
    unfinished: str = ""

    @property
    def unusable(self) -> frozenset[str]:
        """The fields that were marked as unusable."""
        return frozenset(field for field, now in self.standing.items() if now.unusable)

    def count(self, ids: Sequence[str]) -> int:
        """How many of these fields have other labels than train.csv gives them."""
        return sum(self.standing[field].relabelled for field in ids if field in self.standing)

    @property
    def added(self) -> frozenset[str]:
        """The fields that corrections.csv alone labels or marks as unusable."""
        told = {field for field, now in self.standing.items() if now.relabelled or now.unusable}
        return frozenset(told - self.given)


def read_corrected_labels(data: Path, journal: Journal | None = None, own_classes: bool = False) -> CorrectedLabels:
    """Read train.csv and corrections.csv of a data folder; one of them may be absent.

    Parameters
    ----------
    data : Path
    journal : Journal, optional
        The corrections, if they are open already.
    own_classes : bool
        As for `read_labels`.

    Raises
    ------
    InputError
        If both are absent, one cannot be used, or a correction names an unknown class.
    """
    path = data / CORRECTED
    journal = journal or Journal(path)
    rows = journal.rows()
    has_train = (data / TRAIN).is_file() or not rows
    given = read_labels(data / TRAIN, own_classes) if has_train else _first_labels(path, rows, own_classes)
    before = {field: frozenset(given.classes.named(row)) for field, row in zip(given.ids, given.matrix, strict=True)}
    standing, names = as_they_stand(rows, before), given.classes.names
    for field, now in standing.items():
        if unknown := (now.classes or frozenset()) - set(names):
            raise InputError(
                f"{path} labels field {shown(field)} as {shown(min(unknown))!r}, which is no class of {TRAIN}. "
                "Undo that correction in `review`, or name it as the class is called."
            )
    classes = before | {field: now.classes for field, now in standing.items() if now.classes is not None}
    matrix = np.zeros((len(classes), len(names)), bool)
    for i, carried in enumerate(classes.values()):
        matrix[i, [names.index(name) for name in carried]] = True
    labels = replace(given, ids=tuple(classes), matrix=matrix)
    return CorrectedLabels(labels, standing, frozenset(before), journal.unfinished)


def _first_labels(path: Path, rows: Sequence[Correction], own_classes: bool) -> Labels:
    """No labels, of the classes that the corrections name: the labels of a data folder without train.csv."""
    named = {name for now in as_they_stand(rows, {}).values() for name in now.classes or ()}
    classes = classes_of(path, named, own_classes)
    return Labels(path, (), classes, np.zeros((0, len(classes.names)), bool), ())
