"""Commands that we suggest, written so that they can be pasted into a shell."""

import shlex
from pathlib import Path

DATA, RUN = Path("data"), Path("runs/default")
DEFAULTS = {"data": DATA, "run": RUN, "coverage": 0.9, "neighbours": 5, "device": "auto"}
"""What an option is where it is not named; `cli.py` has the same."""


def command_line(command: str, *words: object, **options: object) -> str:
    """A command with its words and options; options that are None, False or at their default are left out.

    Examples
    --------
    >>> command_line("importances", "Golgi apparatus", run=Path("my runs/1"))
    "python cli.py importances 'Golgi apparatus' --run 'my runs/1'"
    >>> command_line("extract", data=Path("data"), no_er=True, masks=None)
    'python cli.py extract --no-er'
    """
    parts = ["python", "cli.py", command, *map(str, words)]
    for name, value in options.items():
        parts += _option(name, value)
    return shlex.join(parts)


def _option(name: str, value: object) -> list[str]:
    if value is None or value is False or str(value) == str(DEFAULTS.get(name)):
        return []
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [flag, str(value)]
