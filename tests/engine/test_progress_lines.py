"""Progress in a log file: few lines, never silent for long, and the time that is left."""

import time

import pytest

from engine.running import progress as module
from engine.running.progress import hours_minutes, progress


def test_a_line_every_five_percent_and_no_more(capsys):
    with progress("extract train", 1000) as bar:
        for _ in range(1000):
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("extract train: 50/1000 fields (5 %), ")
    assert lines[0].endswith("/s, 0:01 left")
    assert lines[-1].startswith("extract train: 1000/1000 fields (100 %), ")
    assert "left" not in lines[-1]


def test_a_line_comes_while_nothing_gets_done(capsys, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.05)
    with progress("importances", 2, "folds"):
        time.sleep(0.5)
    assert capsys.readouterr().err.startswith("importances: 0/2 folds (0 %), 0/s\n")


def test_what_was_done_before_or_waits_for_the_start_does_not_bend_the_time_left(capsys, monkeypatch):
    """10 items after 100 s of preparing, then one a second: 80 s are left after 10 more, not 9 minutes."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "SILENCE", 1e9)
    with progress("fit", 100) as bar:
        now[0] = 100
        bar.advance(10)
        now[0] = 110
        bar.advance(10)
        lines = capsys.readouterr().err.splitlines()
        monkeypatch.undo()
    assert lines[1] == "fit: 20/100 fields (20 %), 1/s, 0:02 left"


def test_a_word_says_how_it_goes(capsys):
    with progress("fit", 1, "steps") as bar:
        bar.advance(word="loss 0.123")
    assert capsys.readouterr().err.endswith("/s, loss 0.123\n")


@pytest.mark.parametrize(("total", "quiet"), [(0, False), (3, True)])
def test_nothing_to_do_or_quiet_writes_nothing(capsys, total, quiet):
    with progress("fit", total, quiet=quiet) as bar:
        bar.advance(total)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (1, "0:01"), (60, "0:01"), (61, "0:02"), (36_000, "10:00")])
def test_time_left_is_in_hours_and_minutes(seconds, said):
    assert hours_minutes(seconds) == said
