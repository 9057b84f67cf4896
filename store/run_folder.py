"""The files of a run, and the settings of the commands that wrote them (config.json)."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.command_line import DATA, command_line
from engine.errors import InputError
from engine.files import content_hash, read_json, write_json
from engine.ids import shown
from engine.versions import package_versions
from store.fit_folder import FitFolder
from store.noted_options import noted_options

SPLITS = ("train", "test")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, by name."""

    root: Path

    @property
    def config(self) -> Path:
        """Settings and package versions of extract, fit and submit; in a prediction's folder, of predict."""
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
        """Fields that failed in `extract`; those of `predict` are in `store.prediction.PredictionFiles.failures`."""
        return self.features / "failures.csv"

    @property
    def unused(self) -> Path:
        """Files that no field uses; those of `predict` are in `store.prediction.PredictionFiles.unused`."""
        return self.features / "unused.csv"

    def matrix(self, split: str) -> Path:
        """The pooled features of a split's fields."""
        return self.features / f"{split}.parquet"

    def measured(self, split: str) -> list[Path]:
        """The tables of a split's measured fields."""
        return sorted((self.features / "fields").glob(f"{split}-*.parquet"))

    @property
    def fit(self) -> FitFolder:
        """The files of the fit."""
        return FitFolder(self.root)

    @property
    def duplicates(self) -> Path:
        """Pairs of near-identical fields, within and between the splits."""
        return self.root / "duplicates.csv"

    @property
    def label_errors(self) -> Path:
        """Labels that the held-out models confidently contradict."""
        return self.root / "label_errors.csv"

    @property
    def importance(self) -> Path:
        """Feature importances of each organelle."""
        return self.root / "importance.parquet"

    @property
    def predictions(self) -> Path:
        """Probabilities and calls of the test fields."""
        return self.root / "predictions.parquet"

    @property
    def submission(self) -> Path:
        """The submission to Kaggle."""
        return self.root / "submission.csv"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def predicted(self) -> Path:
        """Predictions of new fields, unless `predict --out` names another folder."""
        return self.root / "predicted"

    @property
    def review(self) -> Path:
        """Places of fields and cells that `review` found, for its next start."""
        return self.root / "review"

    def owns(self, path: Path) -> bool:
        """Whether a path is that of one of these files, or lies in one of these folders."""
        own = (
            self.config, self.features, *self.fit.parts, self.duplicates, self.label_errors, self.importance,
            self.predictions, self.submission, self.report, self.predicted, self.review,
        )  # fmt: skip
        return any(one in (path, *path.parents) for one in own)

    def command(self, name: str, data: Path = DATA) -> str:
        """A command on this run as it is typed, with its data folder: `data` if a user named one, else that noted.

        The options that `extract` and `fit` were given are repeated where they matter. What is noted is made printable:
        the run may come from a stranger.
        """
        config = self._readable_config()
        noted = [config[one]["data"] for one in (name, "fit", "extract") if "data" in config.get(one, {})]
        return self.command_on(name, Path(shown(str(noted[0]), 300)) if noted and data == DATA else data)

    def command_on(self, name: str, data: Path) -> str:
        """As `command`, with exactly this data folder."""
        return command_line(name, data=data, run=self.root, **noted_options(name, self._readable_config()))

    def _readable_config(self) -> dict[str, dict[str, Any]]:
        try:
            return read_config(self.config)
        except InputError:  # an unreadable config.json names no folder and no options
            return {}

    @property
    def own_classes(self) -> bool:
        """Whether `fit` took every label as the name of a class of the lab's own, as config.json notes it."""
        return bool(read_config(self.config).get("fit", {}).get("own_classes"))

    def noted_table(self, option: str) -> Path | None:
        """The table that the run was fitted with, as config.json notes it; None if the fit was given none.

        The run may come from a stranger: a file is read only if it is the one that the fit read.

        Parameters
        ----------
        option : str
            "fields" or "groups", as the option of `fit` is called.

        Raises
        ------
        InputError
            If it is gone or has changed: it would give other plates or groups.
        """
        noted = read_config(self.config).get("fit", {}).get(f"{option}_table")
        if not isinstance(noted, dict) or not isinstance(path := noted.get("path"), str):
            return None
        with suppress(OSError, ValueError):  # e.g. a path that no file can have
            status = Path(path).stat()
            same_size = stat.S_ISREG(status.st_mode) and 0 < status.st_size == noted.get("size")
            if same_size and content_hash(Path(path)) == noted.get("content"):
                return Path(path)
        raise InputError(
            f"the run in {self.root} was fitted with --{option} {shown(path, 300)}, which is gone or has changed "
            f"since. Fit again with the table: --{option} FILE."
        )

    def note(self, command: str, settings: dict[str, Any]) -> None:
        """Write a command's settings and the versions it ran with into config.json, beside the other commands'."""
        config = read_config(self.config)
        config[command] = settings | {"versions": package_versions()}
        write_json(self.config, config)


def table_note(table: Path) -> dict[str, str | int]:
    """What config.json notes of a table: its path, size and content."""
    return {"path": str(table.absolute()), "size": table.stat().st_size, "content": content_hash(table)}


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """The settings in config.json by command; empty where there is no such file."""
    config = read_json(path) if path.is_file() else {}
    if not isinstance(config, dict) or not all(isinstance(settings, dict) for settings in config.values()):
        raise InputError(f"{path} does not hold settings by command. Remove it, and run the command again.")
    return config


def open_run(root: Path) -> RunFolder:
    """The run in a folder, which may be a symbolic link or not exist yet, but holds no links itself.

    Commands write, replace and remove files in it: a link in a run from a stranger would lead them elsewhere.

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
