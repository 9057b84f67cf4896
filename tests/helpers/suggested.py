"""A command that is suggested, as the command line would read it after pasting."""

import shlex
from pathlib import Path
from typing import Any

import typer

import cli
from engine.command_line import program


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """The command and its options that are not at their default, by name; fails where one does not exist."""
    typed, started = shlex.split(line), program()
    assert tuple(typed[: len(started)]) == started
    name, *words = typed[len(started) :]
    command = typer.main.get_command(cli.app).commands[name]
    given = command.make_context(name, list(words)).params
    usual = {parameter.name: parameter.default for parameter in command.params}
    named = {key: value for key, value in given.items() if str(value) != str(usual[key])}
    return name, {key: str(value) if isinstance(value, Path) else value for key, value in named.items()}
