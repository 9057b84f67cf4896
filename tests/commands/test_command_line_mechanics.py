"""Suggested commands: words that a shell takes apart again as they were, and options that the command line knows."""

import ast
import doctest
import inspect
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suggested import parsed

import cli
import engine.command_line
import engine.counted
from engine.command_line import DEFAULTS, command_line
from engine.files import write_json
from engine.outcome import failure_of
from features.extraction.settings import ExtractSettings, noted_settings
from features.reading.options import ReadingOptions
from features.reading.scale import Scale
from store.run_folder import RunFolder

ROOT = Path(cli.__file__).parent
COMMANDS = ("demo", "simulate", "extract", "fit", "importances", "predict", "submit", "report", "export")


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
    assert parsed(folder.command("extract"))[1]["data"] == "other"
    assert parsed(folder.command("extract", Path("my data")))[1]["data"] == "my data", "what a user names counts"
    folder.config.write_text("no JSON")
    assert parsed(folder.command("fit"))[1] == {"run": str(folder.root)}


def test_a_command_on_a_run_repeats_how_its_images_were_read(tmp_path):
    """Pasted without them, `extract` found no images or measured all anew, and `report` drew no cells."""
    folder = RunFolder(tmp_path / "run")
    reading = ReadingOptions("metaxpress", stains="nucleus=1,protein=2", z="max", pixel_size=0.3, camera_offset=7)
    scale = Scale(16, 4095, True, 7, 0.3, 0.3, True)
    settings = ExtractSettings("my masks", "cpu", None, reading, scale, all_columns=True)
    folder.note("extract", noted_settings(settings) | {"data": "lab"})
    typed = {"data": "lab", "run": str(folder.root), "masks": "my masks"}
    assert parsed(folder.command("report")) == ("report", typed)
    assert parsed(folder.command("fit")) == ("fit", {"data": "lab", "run": str(folder.root)})
    read = {
        "layout": "metaxpress", "stains": "protein=2,nucleus=1", "z": "max", "pixel_size": 0.3, "max_level": 4095,
        "camera_offset": "7", "all_columns": True, "no_embedding": True,
    }  # fmt: skip
    assert parsed(folder.command("extract")) == ("extract", typed | read)


def test_kaggles_way_needs_no_options_and_a_network_is_named_by_the_user(tmp_path):
    folder = RunFolder(tmp_path / "run")
    plain = {"data": "d", "run": str(folder.root)}
    usual = noted_settings(ExtractSettings(None, "cpu")) | {"data": "d"}
    folder.note("extract", usual | {"network": {"path": "", "kind": "pretrained"}})
    assert parsed(folder.command("extract"))[1] == plain
    folder.note("extract", usual | {"network": {"path": "/evil.pt", "mean": [0.1, 0.2], "crop": 64}, "masks": ["x"]})
    said = parsed(folder.command("extract"))[1]
    assert said == plain | {"backbone": "FILE", "backbone_mean": "0.1,0.2", "backbone_size": 64}
    without_er = ReadingOptions(no_er=True)
    folder.note("extract", noted_settings(ExtractSettings(None, "cpu", None, without_er)) | {"data": "d"})
    assert parsed(folder.command("extract"))[1] == plain | {
        "layout": "hpa", "stains": "microtubules=red,protein=green,nucleus=blue", "no_embedding": True,
    }  # fmt: skip


def test_failures_in_a_sentence():
    assert failure_of((), 3, Path("f.csv")) == ""
    assert failure_of(("x is black.",), 1, Path("f")) == "1 of 1 field failed (see f). The first one: x is black."


def test_what_was_typed_is_suggested_again(monkeypatch, tmp_path):
    """In an environment that is not activated, the shell finds neither hpa-boost nor this python by name."""
    installed = tmp_path / "my env" / "hpa-boost"
    installed.parent.mkdir()
    installed.touch(0o755)
    for path, started, suggested in (
        (installed.parent, installed, "hpa-boost"), (installed.parent, "hpa-boost.exe", "hpa-boost"),
        (ROOT, installed, f"'{installed}'"), (ROOT, installed.relative_to(tmp_path), "'my env/hpa-boost'"),
    ):  # fmt: skip
        monkeypatch.setenv("PATH", str(path))
        monkeypatch.setattr("sys.argv", [str(started), "extract"])
        assert command_line("fit", run="r") == f"{suggested} fit --run r"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(installed), "extract"])
    assert command_line("fit") == "'my env/hpa-boost' fit"


def test_the_python_of_an_environment_that_is_not_activated_is_named(monkeypatch, tmp_path):
    """After `make demo`, which calls .venv/bin/python, the suggested `python cli.py` was another Python, or none."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)
    for path in (python.parent, tmp_path):
        monkeypatch.setenv("PATH", str(path))
        assert command_line("fit").startswith(".venv/bin/python ")
    monkeypatch.chdir(ROOT)
    assert command_line("fit") == f"{tmp_path}/.venv/bin/python cli.py fit"
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    monkeypatch.setenv("PATH", str(python.parent))
    assert command_line("fit") == "python cli.py fit", "without an environment, whatever the shell calls python"


def test_outside_of_the_checkout_the_path_of_the_program_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert command_line("fit") == shlex.join(["python", cli.__file__, "fit"])
    (tmp_path / "cli.py").touch()
    assert command_line("fit") == shlex.join(["python", cli.__file__, "fit"]), "another program of that name"
    (tmp_path / "link").symlink_to(ROOT)
    monkeypatch.chdir(tmp_path / "link")
    assert command_line("fit") == "python cli.py fit"


def test_the_examples_of_help_name_the_program_as_it_was_typed(tmp_path):
    program = tmp_path / "hpa-boost"
    program.write_text("import sys; sys.path.insert(0, sys.argv.pop(1)); import cli; cli.run_program()")
    program.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, str(program), str(ROOT), "fit", "--help"], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PATH": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "Usage: hpa-boost fit" in ended.stdout
    assert "\n hpa-boost fit --data my_data" in ended.stdout
    assert "cli.py" not in ended.stdout


def named_in_strings(path: Path) -> list[str]:
    """Strings in which the program is named, except for docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    docstrings = [node.value for node in nodes if isinstance(node, ast.Expr)]
    strings = [node for node in nodes if isinstance(node, ast.Constant) and node not in docstrings]
    return [node.value for node in strings if "python cli.py" in str(node.value)]


def test_no_message_names_the_program_by_itself():
    """A sentence that says `python cli.py fit` cannot be pasted by who typed hpa-boost, or is in another folder."""
    folders = [path for path in (ROOT / room for room in cli.ROOMS) if path.is_dir()]
    sources = [ROOT / "cli.py", ROOT / "pipeline.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    assert len(sources) > 100
    assert {path.name: found for path in sources if (found := named_in_strings(path))} == {}
