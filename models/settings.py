"""How a fit is made: everything that its results depend on, and how many processes work at it."""

from dataclasses import asdict, dataclass
from typing import Any

from models.labels import ORGANELLES
from models.members import MEMBERS

FEWEST_FOLDS = 3


@dataclass(frozen=True)
class FitSettings:
    """How to fit.

    Attributes
    ----------
    n_folds : int
        At least 3.
    seed : int
    rounds : int
        Trees of each booster, for all organelles.
    members : tuple of str
        First-level models, from `models.members.MEMBERS`.
    held_out : float
        Share of the fields, in whole groups, that no model and no choice sees; 0 for none. Left out of small data.
    random_folds : int
        So many folds are also tried without regard to groups, to show what leaking groups would have pretended.
    n_resamples : int
        Bootstrap samples for the intervals.
    organelles : tuple of str
        What the columns of the labels stand for.
    at_least_one : bool
        A field above no threshold is called for its most probable organelle; False where fields may carry none.
    device : str
        "cpu" or "cuda[:N]", for XGBoost.
    workers : int
        Processes; the results do not depend on it.
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
            raise ValueError(f"members {self.members} are not of {', '.join(MEMBERS)}")
        if self.n_folds < FEWEST_FOLDS:
            raise ValueError(f"n_folds must be at least {FEWEST_FOLDS}: thresholds are chosen on folds inside folds")

    def of_result(self) -> dict[str, Any]:
        """The settings that results depend on: all but the number of workers."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}
