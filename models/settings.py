"""Settings of a fit: all that its results depend on, and the number of processes."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from models.data.labels_per_field import AT_LEAST_ONE
from models.first_level.defaults import default_members, default_parameters
from models.first_level.members import BOOSTERS, COLUMN_SETS, KINDS, column_sets_of, is_member, kind_of
from models.first_level.parameters import check_parameter
from store.classes import ORGANELLES

FEWEST_FOLDS = 3


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit.

    Attributes
    ----------
    n_folds : int
        At least 3.
    seed : int
    rounds : int or None
        Trees of each booster, for all organelles; None for those in the parameters.
    members : tuple of str
        First-level models (see `models.first_level.members`); empty chooses by the table's shape.
    parameters : dict of str to dict
        Parameters of members that differ from the defaults for the table's shape.
    held_out : float
        Share of the fields, in whole groups, kept out of training and of every choice; 0 for none. Not used with few
        groups (see `models.design.LEAST_GROUPS_TO_HOLD_OUT`).
    random_folds : int
        Number of random folds (which split groups) to train as well, to show how much a leak would inflate the scores.
    n_resamples : int
        Bootstrap samples for the intervals.
    normalise_by : str
        The column (e.g. "Plate") whose values each have their own centre and scale of features; "" for none.
    controls : tuple of str
        Wells that centre and scale are learnt from; empty for all fields.
    organelles : tuple of str
        Names of the label columns.
    per_field : str
        How many classes a field can be called for, see `models.second_level.thresholds.call`.
    device : str
        "cpu" or "cuda[:N]", for XGBoost.
    workers : int
        Number of processes; results do not depend on it.
    """

    n_folds: int = 5
    seed: int = 0
    rounds: int | None = None
    members: tuple[str, ...] = ()
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    held_out: float = 0.1
    random_folds: int = 1
    n_resamples: int = 200
    normalise_by: str = ""
    controls: tuple[str, ...] = ()
    organelles: tuple[str, ...] = ORGANELLES
    per_field: str = AT_LEAST_ONE
    device: str = "cpu"
    workers: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.members, *self.parameters) if not is_member(name)]
        if unknown:
            sets = " or ".join(f"-{name}" for name in COLUMN_SETS)
            raise ValueError(
                f"no such member: {', '.join(unknown)}; expected some of {', '.join(KINDS)}, each alone or with {sets}"
            )
        if twice := [name for k, name in enumerate(self.members) if name in self.members[:k]]:
            raise ValueError(f"member {twice[0]} is named twice; name each once")
        if self.n_folds < FEWEST_FOLDS:
            raise ValueError(f"n_folds must be at least {FEWEST_FOLDS}: thresholds are chosen on folds inside folds")

    def for_table(self, n_rows: int, n_columns: int, sets: tuple[str, ...]) -> Self:
        """The settings with all members and parameters that a table of this shape gets.

        Parameters
        ----------
        n_rows, n_columns : int
            Fields in the folds, and columns.
        sets : tuple of str
            The sets that have columns.

        Raises
        ------
        ValueError
            If a member's set has no columns, or a parameter is unknown or of another kind.
        """
        members = self.members or default_members(n_rows, n_columns, sets)
        parameters = {}
        for name in members:
            chosen = default_parameters(name, n_rows, n_columns)
            if self.rounds is not None and kind_of(name) in BOOSTERS:
                chosen["rounds"] = self.rounds
            check_member(name, self.parameters.get(name, {}), chosen, sets)
            parameters[name] = chosen | self.parameters.get(name, {})
        return replace(self, members=members, parameters=parameters)

    def of_result(self) -> dict[str, Any]:
        """The settings that results depend on: all but the number of workers."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}


def check_member(name: str, given: dict[str, Any], defaults: dict[str, Any], sets: tuple[str, ...]) -> None:
    """Raise ValueError if a member's set of columns or parameters cannot be."""
    if missing := [one for one in column_sets_of(name) if one not in sets]:
        raise ValueError(f"member {name}: the table has no column of the set {missing[0]}")
    for key, value in given.items():
        if key not in defaults:
            raise ValueError(f"[{name}] has no parameter {key!r}; expected some of {', '.join(defaults)}")
        check_parameter(name, key, value, defaults[key])
