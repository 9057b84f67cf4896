"""Suggested commands: words that a shell takes apart again as they were, and options that the command line knows."""

import doctest
import inspect
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
import engine.command_line
import engine.counted
from engine.command_line import DEFAULTS, command_line
from engine.files import write_json
from engine.run_folder import RunFolder, failure_of
from suggested import parsed

COMMANDS = ("demo", "simulate", "extract", "embed", "fit", "importances", "predict", "submit", "report", "export")


@pytest.mark.parametrize("module", [engine.command_line, engine.counted], ids=lambda module: module.__name__)
def test_docstring_examples(module):
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_shell_takes_any_words_apart_as_they_were(word, folder):
    words = shlex.split(command_line("predict", word, out=Path("a", folder)))
    assert words == ["python", "cli.py", "predict", word, "--out", str(Path("a", folder))]


def test_what_is_left_out_is_the_default():
    assert command_line("predict", "new", **DEFAULTS) == "python cli.py predict new"
    other = command_line("predict", "new", run=Path("r"), neighbours=0, coverage=0.5, no_er=True, masks=None, out=None)
    assert other == "python cli.py predict new --run r --neighbours 0 --coverage 0.5 --no-er"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_has_the_same_defaults(command):
    parameters = inspect.signature(getattr(cli, command)).parameters
    shared = DEFAULTS.keys() & parameters.keys() if command != "simulate" else {"device"} & parameters.keys()
    assert {name: parameters[name].default for name in shared} == {name: DEFAULTS[name] for name in shared}


def test_a_command_on_a_run_names_it_and_the_data_it_was_made_from(tmp_path):
    folder = RunFolder(tmp_path / "my run")
    assert parsed(folder.command("fit"))[1] == {"run": str(folder.root)}
    assert parsed(folder.command("fit", Path("my data")))[1] == {"data": "my data", "run": str(folder.root)}
    for noted, said in (("demo/data", "demo/data"), ("a; rm b", "'a; rm b'"), ("a\nb", "'a\\nb'")):
        write_json(folder.config, {"extract": {"data": "other"}, "fit": {"data": noted}})
        assert f"--data {said} --run" in folder.command("report")
    assert parsed(folder.command("extract", Path("my data")))[1]["data"] == "other"
    folder.config.write_text("no JSON")
    assert parsed(folder.command("fit"))[1] == {"run": str(folder.root)}


def test_failures_in_a_sentence():
    assert failure_of((), 3, Path("f.csv")) == ""
    assert failure_of(("x is black.",), 1, Path("f")) == "1 of 1 field failed (see f). The first one: x is black."
