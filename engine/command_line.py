"""Suggested commands, written so that they can be pasted into the shell."""

import shlex
import sys
from pathlib import Path

DATA, RUN = Path("data"), Path("runs/default")
DEFAULTS = {"data": DATA, "run": RUN, "coverage": 0.9, "neighbours": 5, "device": "auto"}
"""Defaults of options; `cli.py` uses the same."""

INSTALLED = "hpa-boost"
"""The command that `pip install` makes (pyproject.toml)."""

CLI = Path(__file__).resolve().parents[1] / "cli.py"


def program() -> tuple[str, ...]:
    """How this program was started: hpa-boost, or python with the path of cli.py seen from the current folder."""
    if Path(sys.argv[0]).stem == INSTALLED:
        return (INSTALLED,)
    return "python", CLI.name if _in_current_folder(CLI) else str(CLI)


def _in_current_folder(path: Path) -> bool:
    try:
        return Path(path.name).samefile(path)
    except OSError:
        return False


def command_line(command: str, *words: object, **options: object) -> str:
    """A command with its words and options; options that are None, False or at their default are left out.

    Examples
    --------
    >>> command_line("importances", "Golgi apparatus", run=Path("my runs/1"))
    "python cli.py importances 'Golgi apparatus' --run 'my runs/1'"
    >>> command_line("extract", data=Path("data"), no_er=True, masks=None)
    'python cli.py extract --no-er'
    """
    parts = [*program(), command, *map(str, words)]
    for name, value in options.items():
        parts += _option(name, value)
    return shlex.join(parts)


def _option(name: str, value: object) -> list[str]:
    if value is None or value is False or str(value) == str(DEFAULTS.get(name)):
        return []
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [flag, str(value)]
