"""Suggested commands, written so that they can be pasted into the shell."""

import shlex
import shutil
import sys
from pathlib import Path

DATA, RUN = Path("data"), Path("runs/default")
DEFAULTS = {"data": DATA, "run": RUN, "coverage": 0.9, "neighbours": 5, "device": "auto"}
"""Defaults of options; `cli.py` uses the same."""

INSTALLED = "hpa-boost"
"""The command that `pip install` makes (pyproject.toml)."""

CLI = Path(__file__).resolve().parents[1] / "cli.py"


def program() -> tuple[str, ...]:
    """How this program was started: hpa-boost, or python with the path of cli.py, as they are seen from here."""
    started = Path(sys.argv[0])
    if started.stem == INSTALLED:
        return (_on_path(started, INSTALLED),)
    return interpreter(), CLI.name if _in_current_folder(CLI) else str(CLI)


def interpreter() -> str:
    """What to type for this Python: `python`, or its path where that is another one or none.

    So it is with an environment that is not activated, as after `make demo`.
    """
    if sys.prefix == sys.base_prefix and shutil.which("python"):
        return "python"  # of no environment: a version manager's, whose folder on the PATH is another
    return _on_path(Path(sys.executable), "python")


def _on_path(file: Path, name: str) -> str:
    """A name, if the shell finds this file by it; otherwise the file's path, as short as it can be pasted here."""
    found = shutil.which(name)
    if file.parent == Path() or (found and Path(found).parent == file.parent):
        return name
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


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
