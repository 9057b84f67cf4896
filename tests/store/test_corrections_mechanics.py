"""corrections.csv: rows are only appended, undone rows do not count, and neither two programs nor a kill lose a row."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import InputError
from store.corrections import Correction, Journal, as_they_stand

ROOT = Path(__file__).resolve().parents[2]
CUT = "2026-11-29T08:00:00Z,b,cut,f1,add,Gol"


def row(entry: str, action: str = "add", value: str = "Cytosol", field: str = "f1") -> Correction:
    return Correction("2026-11-29T08:00:00Z", "a", entry, field, action, value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corrections.csv"


def test_rows_come_back_as_they_were_with_hostile_notes(path):
    notes = ['=HYPERLINK("x")', "'quoted", 'a,"b",<script>alert(1)</script>', "-", "é|ü"]
    rows = tuple(row(f"e{k}", "note", note) for k, note in enumerate(notes))
    Journal(path).append(rows)
    assert Journal(path).rows() == rows
    assert "\n=HYPER" not in path.read_text() and ",=HYPER" not in path.read_text()


def test_a_row_sent_twice_is_there_once(path):
    journal = Journal(path)
    assert len(journal.append([row("e1"), row("e1")])) == 1
    assert journal.append([row("e1")]) == ()
    assert len(path.read_text().splitlines()) == 2


def test_an_append_leaves_the_earlier_bytes(path):
    journal = Journal(path)
    journal.append([row("e1")])
    before = path.read_bytes()
    journal.append([row("e2")])
    assert path.read_bytes().startswith(before)


def test_a_line_cut_off_by_a_kill_is_not_read_and_makes_room(path):
    Journal(path).append([row("e1")])
    with path.open("a") as file:
        file.write(CUT)
    journal = Journal(path)
    assert [one.entry for one in journal.rows()] == ["e1"]
    journal.append([row("cut")])
    assert [one.entry for one in Journal(path).rows()] == ["e1", "cut"]
    assert "Gol" not in path.read_text()


def test_a_file_edited_while_it_is_open_is_read_again_and_no_finished_row_is_cut(path, caplog):
    """With as many bytes, and with more, by an editor that leaves out the last line break."""
    journal = Journal(path)
    journal.append([row("e1", value="Golgi apparatus"), row("e2", field="f2"), row("e3", field="f4")])
    path.write_text(path.read_text().replace("e2,f2", "e2,f3"))
    assert [one.field for one in journal.rows()] == ["f1", "f3", "f4"]
    path.write_text(path.read_text().replace("Golgi apparatus", "Endoplasmic reticulum").rstrip("\n"))
    assert [one.value for one in journal.rows()] == ["Endoplasmic reticulum", "Cytosol"]
    assert journal.unfinished.endswith("e3,f4,add,Cytosol")
    journal.append([row("e4", field="f9")])
    now = Journal(path).rows()
    assert [(one.entry, one.field) for one in now] == [
        ("e1", "f1"),
        ("e2", "f3"),
        ("e4", "f9"),
    ] and now == journal.rows()
    (said,) = caplog.messages
    assert "removed the last line, which was not finished: " in said and "e3,f4,add,Cytosol" in said


def test_two_open_journals_see_each_others_rows(path):
    one, other = Journal(path), Journal(path)
    one.append([row("e1")])
    other.append([row("e2", "remove")])
    assert [each.entry for each in one.rows()] == [each.entry for each in other.rows()] == ["e1", "e2"]


def test_programs_and_threads_that_append_at_once_lose_nothing(path):
    code = (
        "import sys; from pathlib import Path; from store.corrections import *; j = Journal(Path(sys.argv[1]))\n"
        "for k in range(25): j.append([Correction('t', 'p', f'{sys.argv[2]}-{k}', 'f', 'add', 'Cytosol')])"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=ROOT) for name in ("p", "q")]
    journal = Journal(path)
    threads = [
        threading.Thread(target=lambda n=n: [journal.append([row(f"t{n}-{k}")]) for k in range(25)]) for n in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [program.wait(60) for program in programs] == [0, 0]
    assert len({one.entry for one in Journal(path).rows()}) == 100


def test_a_program_killed_while_it_appends_leaves_whole_rows(path):
    code = (
        "import sys; from pathlib import Path; from store.corrections import *; j = Journal(Path(sys.argv[1]))\n"
        "for k in range(10**6): j.append([Correction('t', 'p', f'e{k}', 'f', 'note', 'x' * 900)]); print(k, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as it:
        confirmed = [int(it.stdout.readline()) for _ in range(20)][-1]
        it.kill()
    journal = Journal(path)
    assert {f"e{k}" for k in range(confirmed + 1)} <= {one.entry for one in journal.rows()}
    journal.append([row("after")])
    assert journal.rows()[-1].entry == "after"


def test_a_link_is_refused(path, tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        Journal(path).append([row("e1")])
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (row("e", "shout"), "action 'shout'"),
        (row("e", field="../x"), "reads like a path"),
        (row("e", "note", "a\nb"), "not printed"),
        (row("e", "note", "x" * 1001), "1,001 characters"),
        (row("e", "add", ""), "what to add"),
        (row("e", "undo", "nothing"), "no correction of this field"),
    ],
)
def test_an_invalid_row_is_refused_and_nothing_is_written(path, bad, words):
    with pytest.raises(InputError, match=words):
        Journal(path).append([row("good"), bad])
    assert not path.exists()


def test_a_damaged_row_is_named_by_its_line(path):
    Journal(path).append([row("e1")])
    with path.open("a") as file:
        file.write("t,b,e2,f1,shout,x\n")
    with pytest.raises(InputError, match=r"line 3: has the action 'shout'"):
        Journal(path).rows()


def test_corrections_are_replayed_over_train_csv():
    before = {"f1": frozenset({"Cytosol", "Nucleoli"}), "f2": frozenset({"Nucleoli"})}
    rows = [
        row("1", "remove", "Cytosol"),
        row("2", "add", "Golgi"),
        row("3", "set", "A|B", field="f2"),
        row("4", "undo", "3", field="f2"),
        row("5", "unusable", "", field="f3"),
        row("6", "set", "", field="f4"),
        row("7", "note", "dim", field="f4"),
    ]
    found = as_they_stand(rows, before)
    assert found["f1"].classes == {"Nucleoli", "Golgi"} and found["f1"].relabelled
    assert found["f2"].classes == {"Nucleoli"} and not found["f2"].relabelled
    assert found["f3"].classes is None and found["f3"].unusable
    assert found["f4"].classes == frozenset() and found["f4"].note == "dim"
