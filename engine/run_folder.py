"""Where each result of a run lies, and what it was made with."""

import os
import platform
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.command_line import DATA, command_line
from engine.counted import counted
from engine.errors import InputError
from engine.files import read_json, write_json
from engine.ids import shown

_PACKAGES = ("numpy", "numba", "scikit-image", "opencv-python-headless", "scikit-learn", "lightgbm", "pyarrow", "torch")


def package_versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, by name."""

    root: Path

    @property
    def config(self) -> Path:
        """Resolved settings, versions, seed and device of every command that wrote here."""
        return self.root / "config.json"

    @property
    def features(self) -> Path:
        """Tables of cells and fields."""
        return self.root / "features"

    @property
    def columns(self) -> Path:
        """The cells' feature columns, structured."""
        return self.features / "columns.parquet"

    @property
    def failures(self) -> Path:
        """Fields that could not be used."""
        return self.features / "failures.csv"

    def matrix(self, split: str) -> Path:
        """The pooled features of a split's fields."""
        return self.features / f"{split}.parquet"

    @property
    def portraits(self) -> Path:
        """Cells cut out to train a network on, and the state of its training."""
        return self.root / "embedding"

    @property
    def network(self) -> Path:
        """The trained network."""
        return self.root / "embedding.safetensors"

    @property
    def folds(self) -> Path:
        """Group and fold of each training field."""
        return self.root / "folds.parquet"

    @property
    def oof(self) -> Path:
        """Out-of-fold probabilities and calls of each training field."""
        return self.root / "oof.parquet"

    @property
    def models(self) -> Path:
        """Boosters and what stands on them."""
        return self.root / "models"

    @property
    def leaderboard(self) -> Path:
        """Scores per organelle."""
        return self.root / "leaderboard.csv"

    @property
    def metrics(self) -> Path:
        """The same scores for machines."""
        return self.root / "metrics.json"

    @property
    def fit_tables(self) -> tuple[Path, ...]:
        """The tables of a fit, beside its models, in the order in which they are written."""
        return self.folds, self.oof, self.leaderboard, self.metrics

    @property
    def duplicates(self) -> Path:
        """Pairs of near-identical fields, within and between the splits."""
        return self.root / "duplicates.csv"

    @property
    def suspects(self) -> Path:
        """Labels that models which have not seen the field disagree with."""
        return self.root / "suspects.csv"

    @property
    def importance(self) -> Path:
        """What drives each organelle."""
        return self.root / "importance.parquet"

    @property
    def predictions(self) -> Path:
        """Probabilities and calls of the test fields."""
        return self.root / "predictions.parquet"

    @property
    def submission(self) -> Path:
        """Kaggle's file."""
        return self.root / "submission.csv"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.root / "report.html"

    @property
    def predicted(self) -> Path:
        """What is said of new fields, unless another folder is named for it."""
        return self.root / "predicted"

    def owns(self, path: Path) -> bool:
        """Whether a path is that of one of these files, or lies in one of these folders."""
        own = (
            self.config, self.features, self.portraits, self.network, self.models, *self.fit_tables, self.duplicates,
            self.suspects, self.importance, self.predictions, self.submission, self.report, self.predicted,
        )  # fmt: skip
        return any(one in (path, *path.parents) for one in own)

    def command(self, name: str, data: Path = DATA) -> str:
        """A command on this run as it can be typed, with the data folder that the run notes, or else this one."""
        return command_line(name, data=self._noted_data(name) or data, run=self.root)

    def _noted_data(self, command: str) -> str:
        """The data folder of this command or those before it, as one line: the note may be a stranger's."""
        try:
            config = read_config(self.config)
        except InputError:  # one that cannot be read notes nothing
            config = {}
        noted = [config[one]["data"] for one in (command, "fit", "extract") if "data" in config.get(one, {})]
        return shown(str(noted[0]), 300) if noted else ""

    def note(self, command: str, settings: dict[str, Any]) -> None:
        """Write a command's settings and the versions it ran with into config.json, beside the other commands'."""
        config = read_config(self.config)
        config[command] = settings | {"versions": package_versions()}
        write_json(self.config, config)


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """What commands noted in config.json, by command; nothing where there is no such file."""
    config = read_json(path) if path.is_file() else {}
    if not isinstance(config, dict) or not all(isinstance(settings, dict) for settings in config.values()):
        raise InputError(f"{path} does not hold settings by command. Remove it, and run the command again.")
    return config


def open_run(root: Path) -> RunFolder:
    """The run in a folder, which may be a link, or not be there yet; nothing inside may lead out of it.

    Commands write, replace and remove files in there: through a link in a stranger's run they would do so elsewhere.

    Raises
    ------
    InputError
        If there is a link in the folder, or a pipe, device or socket.
    """
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "no ordinary file"
                raise InputError(
                    f"{shown(str(path), 300)} is {kind}; a run folder holds only files and folders of its own. "
                    "Remove it (the run folder itself may be a link, or lie anywhere: --run DIR)."
                )
    return RunFolder(root)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes
    ----------
    lines : tuple of str
        What to tell the user: counts, and where the result is.
    next_command : str
        What to type next, or "".
    facts : dict
        The same for machines.
    n_failed : int
        Fields that could not be used.
    failure : str
        The same in a sentence, or "".
    """

    lines: tuple[str, ...]
    next_command: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    n_failed: int = 0
    failure: str = ""


def failure_of(failures: Sequence[str], n_fields: int, listed: Path) -> str:
    """How many fields could not be used, where they are listed, and why the first could not; "" where there is none."""
    if not failures:
        return ""
    return f"{len(failures)} of {counted(n_fields, 'field')} failed (see {listed}). The first one: {failures[0]}"
