"""Messages on a terminal: as they are, once, at every terminal's encoding, and never those of other libraries."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from engine.command_line import command_line
from engine.terminal import fitted, messages_on_stderr

ROOT = Path(__file__).resolve().parents[2]
PRINT = "import cli, sys, pipeline; pipeline.submit = {}; sys.exit(cli.main(['submit', '--json']))"
ARROW = "lambda *a, **k: pipeline.Outcome(('a → b ─ ż',), facts={'path': 'ż'})"


def test_what_the_rooms_say_is_on_stderr_once_and_nothing_of_others(capsys):
    for _ in range(2):
        with messages_on_stderr(["models"]):
            logging.getLogger("models.fit").info("fitting again")
            logging.getLogger("another.library").info("chatter")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "fitting again\nfitting again\n")
    logging.getLogger("models.fit").info("after the command")
    assert capsys.readouterr().err == ""


def test_every_room_is_heard():
    rooms = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")} - {"tests", "benchmarks"}
    assert rooms | {"pipeline"} == set(cli.ROOMS)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_of_another_encoding_is_no_reason_to_fail(encoding):
    """UnicodeEncodeError, and exit code 1, after the work was done."""
    ended = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", PRINT.format(ARROW)], cwd=ROOT, capture_output=True,
        env={"PYTHONIOENCODING": encoding, "PATH": ""}, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == b'a -> b - \\u017c\n{"path": "\\u017c"}\n'


def test_a_stream_that_is_no_terminal_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with messages_on_stderr(["models"]):
        sys.stdout.write("→\n")
    assert sys.stdout.getvalue() == "→\n"


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_prose_is_wrapped_between_words_on_a_terminal_and_commands_stay_whole(monkeypatch, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    line = "    mainly: " + "a-long-word of the protein " * 20
    lines = fitted(line).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns
    assert [len(one) - len(one.lstrip()) for one in lines] == [4, *[6] * (len(lines) - 1)]
    assert " ".join(" ".join(lines).split()) == line.strip()
    command = f"again: {command_line('importances', 'x' * 300)}"
    assert fitted(command) == command
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert fitted(line) == line
