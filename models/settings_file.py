"""Settings of a fit in a small TOML file, for those who want to tune: read, checked, and written with all values."""

import tomllib
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.ids import shown
from models.data.labels_per_field import PER_FIELD
from models.first_level.members import is_member
from models.settings import FEWEST_FOLDS, FitSettings

MOST_FOLDS = 20
_NAMES = {"folds": "n_folds", "held_out": "held_out", "random_folds": "random_folds", "resamples": "n_resamples"}
"""Names of numbers in the file, and of `FitSettings`."""

_CALLS = "calls_per_field"


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Returns
    -------
    dict
        What it gives of `FitSettings`, by the names there.

    Raises
    ------
    InputError
        If it cannot be read, or holds an unknown name or a value that cannot be. Parameters of members are checked
        against the table later (`FitSettings.for_table`).
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"settings {path} cannot be read ({error.strerror}). Name a file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"settings {path} is no TOML file ({shown(str(error), 200)}). See fit --show-settings."
        ) from error
    unknown = [name for name in content if name not in (*_NAMES, _CALLS, "members") and not is_member(name)]
    if unknown:
        raise InputError(f"settings {path}: no setting {unknown[0]!r}. fit --show-settings prints all.")
    given: dict[str, Any] = {}
    for name, attribute in _NAMES.items():
        if name in content:
            given[attribute] = _number(path, name, content[name])
    if _CALLS in content:
        given["per_field"] = _per_field(path, content[_CALLS])
    if "members" in content:
        given["members"] = _members(path, content["members"])
    given["parameters"] = {name: value for name, value in content.items() if is_member(name)}
    if odd := [name for name, value in given["parameters"].items() if not isinstance(value, dict)]:
        raise InputError(f"settings {path}: {odd[0]} should be a table, [{odd[0]}], of its parameters.")
    return given


def _number(path: Path, name: str, value: Any) -> int | float:
    least, most = {"folds": (FEWEST_FOLDS, MOST_FOLDS), "held_out": (0, 0.5)}.get(name, (0, 10_000))
    kinds = (int, float) if name == "held_out" else (int,)
    if type(value) not in kinds or not least <= value <= most:
        raise InputError(f"settings {path}: {name} is {value!r}; expected a number from {least} to {most}.")
    return value


def _per_field(path: Path, value: Any) -> str:
    if value not in PER_FIELD:
        expected = ", ".join(f'"{one}"' for one in PER_FIELD)
        raise InputError(f"settings {path}: {_CALLS} is {value!r}; expected one of {expected}.")
    return value


def _members(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise InputError(f'settings {path}: members is {value!r}; expected a list, e.g. ["lightgbm", "linear"].')
    return tuple(value)


def settings_text(settings: FitSettings, n_rows: int, n_columns: int) -> str:
    """All settings as TOML; `settings` as `FitSettings.for_table` completes them."""
    lines = [f"# Settings of fit, for {n_rows} fields x {n_columns} columns. Pass changed ones with --settings FILE."]
    lines += [f"{name} = {_toml(getattr(settings, attribute))}" for name, attribute in _NAMES.items()]
    lines.append(f"{_CALLS} = {_toml(settings.per_field)}  # {', '.join(PER_FIELD)}")
    lines.append(f"members = {_toml(settings.members)}")
    for name, parameters in settings.parameters.items():
        lines += [
            "",
            f"[{name}]" if "+" not in name else f'["{name}"]',
            *(f"{key} = {_toml(value)}" for key, value in parameters.items()),
        ]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{name}"' for name in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
