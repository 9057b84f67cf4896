"""Where each result of a run lies, and what it was made with."""

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.files import read_json, write_json

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

    def note(self, command: str, settings: dict[str, Any]) -> None:
        """Write a command's settings and the versions it ran with into config.json, beside the other commands'."""
        config = read_json(self.config) if self.config.is_file() else {}
        config[command] = settings | {"versions": package_versions()}
        write_json(self.config, config)


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
    """

    lines: tuple[str, ...]
    next_command: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    n_failed: int = 0
