"""The files of a fit, in a run folder or in the folder of a saved OrganelleClassifier; each result is stored once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import whole
from store.schema import METADATA_ID
from store.untrusted_input import AGAIN, read_table


@dataclass(frozen=True)
class FitFolder:
    """The files of a fit.

    Attributes
    ----------
    root : Path
        The run folder, or the folder of a saved OrganelleClassifier.
    """

    root: Path

    @property
    def folds(self) -> Path:
        """Group and fold of each training field."""
        return self.root / "folds.parquet"

    @property
    def plates(self) -> Path:
        """Plate (or line) of each training field, and whether it is a control; only of a fit that normalises by it."""
        return self.root / "plates.parquet"

    @property
    def oof(self) -> Path:
        """Out-of-fold tables: each training field as predicted by models that have not seen it."""
        return self.root / "oof"

    @property
    def labels(self) -> Path:
        """Labels of the training fields."""
        return self.oof / "labels.parquet"

    @property
    def probabilities(self) -> Path:
        """Out-of-fold probabilities."""
        return self.oof / "probabilities.parquet"

    @property
    def calls(self) -> Path:
        """Out-of-fold calls."""
        return self.oof / "calls.parquet"

    def scores(self, member: str) -> Path:
        """Standardised out-of-fold scores of a member of the first level."""
        return self.oof / f"{member}.parquet"

    @property
    def leaderboard(self) -> Path:
        """Scores per organelle."""
        return self.root / "leaderboard.csv"

    @property
    def metrics(self) -> Path:
        """The same scores as JSON."""
        return self.root / "metrics.json"

    @property
    def models(self) -> Path:
        """The models of the first level, in their libraries' formats, and fit.json."""
        return self.root / "models"

    @property
    def fit_file(self) -> Path:
        """Settings, second level and stamp. It is written last: a fit without it is not finished."""
        return self.models / "fit.json"

    @property
    def estimator(self) -> Path:
        """The classes of an OrganelleClassifier, and whether they are the two of one label."""
        return self.root / "estimator.json"

    @property
    def parts(self) -> tuple[Path, ...]:
        """All files and folders that a fit writes."""
        return self.folds, self.plates, self.oof, self.leaderboard, self.metrics, self.models, self.estimator

    def tables(self, members: Sequence[str] = ()) -> tuple[Path, ...]:
        """The tables of a fit with these members of the first level."""
        oof = (self.labels, self.probabilities, self.calls, *map(self.scores, members))
        return self.folds, *oof, self.leaderboard, self.metrics

    def files(self) -> tuple[Path, ...]:
        """The existing files of a fit, fit.json last."""
        paths = {path for part in self.parts for path in (part, *part.rglob("*")) if path.is_file()}
        return (*sorted(paths - {self.fit_file}), *({self.fit_file} & paths))

    def contents(self) -> dict[str, bytes]:
        """The content of each file by its path in the folder, fit.json last."""
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in self.files()}

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write what `contents` of another folder gave."""
        self.fit_file.unlink(missing_ok=True)
        for name, content in contents.items():
            with whole(self.root / name) as path:
                path.write_bytes(content)

    def clear(self) -> None:
        """Remove fit.json, then the tables. The models of the first level stay: each carries its own stamp."""
        self.fit_file.unlink(missing_ok=True)
        for path in (*self.tables(), self.plates, self.estimator, *self.oof.glob("*.parquet")):
            path.unlink(missing_ok=True)


def write_class_table(path: Path, ids: Sequence[str], classes: Sequence[str], values: np.ndarray) -> None:
    """Write a table with Metadata_Id and one column a class.

    Parameters
    ----------
    path : Path
    ids : sequence of str
        n fields.
    classes : sequence of str
        Names of the k classes.
    values : ndarray of bool or float32, shape (n, k)
    """
    by_class = np.ascontiguousarray(values.T)
    columns = [pa.array(ids, pa.string()), *(pa.array(column) for column in by_class)]
    write_table(path, pa.Table.from_arrays(columns, [METADATA_ID, *classes]))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table, whole or absent; without compression, because scores hardly compress."""
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="none", use_dictionary=False)


def read_class_table(
    path: Path, ids: Sequence[str], classes: Sequence[str], kind: str, remedy: str = AGAIN
) -> np.ndarray:
    """Read what `write_class_table` wrote.

    Parameters
    ----------
    path : Path
    ids, classes : sequence of str
        The fields and classes that it must hold, in this order.
    kind : str
        "truth" or "number".
    remedy : str
        What the user can do.

    Returns
    -------
    ndarray of bool or float32, shape (n, k)

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds other fields or classes.
    """
    table = read_table(path, {METADATA_ID: "text"} | dict.fromkeys(classes, kind), remedy)
    if table.column(METADATA_ID).to_pylist() != list(ids):
        raise InputError(f"{path} cannot be used: it does not hold the {len(ids)} fields of folds.parquet. {remedy}")
    values = np.empty((len(ids), len(classes)), bool if kind == "truth" else np.float32)
    for k, name in enumerate(classes):
        values[:, k] = table.column(name).to_numpy()
    return values
