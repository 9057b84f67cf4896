"""Settings of a fit: all that its results depend on, and the number of processes."""

from dataclasses import asdict, dataclass
from typing import Any

from models.data.labels import ORGANELLES
from models.first_level.members import MEMBERS

FEWEST_FOLDS = 3


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit.

    Attributes
    ----------
    n_folds : int
        At least 3.
    seed : int
    rounds : int
        Trees of each booster, for all organelles.
    members : tuple of str
        First-level models, from `models.first_level.members.MEMBERS`.
    held_out : float
        Share of the fields, in whole groups, kept out of training and of every choice; 0 for none. Not used with few
        groups (see `models.fit.LEAST_GROUPS_TO_HOLD_OUT`).
    random_folds : int
        Number of random folds (which split groups) to train as well, to show how much a leak would inflate the scores.
    n_resamples : int
        Bootstrap samples for the intervals.
    organelles : tuple of str
        Names of the label columns.
    at_least_one : bool
        Whether a field without a probability above its threshold gets its most probable organelle.
    device : str
        "cpu" or "cuda[:N]", for XGBoost.
    workers : int
        Number of processes; results do not depend on it.
    """

    n_folds: int = 5
    seed: int = 0
    rounds: int = 300
    members: tuple[str, ...] = MEMBERS
    held_out: float = 0.1
    random_folds: int = 2
    n_resamples: int = 200
    organelles: tuple[str, ...] = ORGANELLES
    at_least_one: bool = True
    device: str = "cpu"
    workers: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.members if name not in MEMBERS]
        if unknown or not self.members:
            raise ValueError(f"unknown members in {self.members}; expected some of {', '.join(MEMBERS)}")
        if self.n_folds < FEWEST_FOLDS:
            raise ValueError(f"n_folds must be at least {FEWEST_FOLDS}: thresholds are chosen on folds inside folds")

    def of_result(self) -> dict[str, Any]:
        """The settings that results depend on: all but the number of workers."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}
