"""The labels of train.csv with the corrections that people made (corrections.csv)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.ids import shown
from models.data.labels import ORGANELLES, Labels, read_labels
from store.corrections import Journal, Standing, as_they_stand

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
    """

    labels: Labels
    standing: dict[str, Standing]

    @property
    def unusable(self) -> frozenset[str]:
        """The fields that were marked as unusable."""
        return frozenset(field for field, now in self.standing.items() if now.unusable)

    def count(self, ids: Sequence[str]) -> int:
        """How many of these fields have other labels than train.csv gives them."""
        return sum(self.standing[field].relabelled for field in ids if field in self.standing)


def read_corrected_labels(data: Path, journal: Journal | None = None) -> CorrectedLabels:
    """Read train.csv and corrections.csv of a data folder; one of them may be absent.

    Parameters
    ----------
    data : Path
    journal : Journal, optional
        The corrections, if they are open already.

    Raises
    ------
    InputError
        If both are absent, one cannot be used, or a correction names an unknown class.
    """
    path = data / CORRECTED
    rows = (journal or Journal(path)).rows()
    empty = Labels((), np.zeros((0, len(ORGANELLES)), bool))
    given = read_labels(data / TRAIN) if (data / TRAIN).is_file() or not rows else empty
    before = {
        field: frozenset(ORGANELLES[j] for j in np.flatnonzero(row))
        for field, row in zip(given.ids, given.matrix, strict=True)
    }
    standing = as_they_stand(rows, before)
    for field, now in standing.items():
        if unknown := (now.classes or frozenset()) - set(ORGANELLES):
            raise InputError(
                f"{path} labels field {shown(field)} as {shown(min(unknown))!r}, which is no class of {TRAIN}. "
                "Undo that correction in `review`, or name it as the class is called."
            )
    classes = before | {field: now.classes for field, now in standing.items() if now.classes is not None}
    matrix = np.zeros((len(classes), len(ORGANELLES)), bool)
    for i, names in enumerate(classes.values()):
        matrix[i, [ORGANELLES.index(name) for name in names]] = True
    return CorrectedLabels(Labels(tuple(classes), matrix), standing)
