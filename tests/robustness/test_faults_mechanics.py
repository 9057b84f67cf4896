"""Faults: killed commands and workers, Ctrl-C, full and read-only disks. Nothing finished is lost, nothing mixed.

Many more rounds, at drawn moments and of every command: python -m benchmarks.faults.
"""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from faulty_units import die, die_once, folder_is_held, linear_algebra_threads

import cli
from commands.earlier_extraction import remember_settings
from engine.errors import InputError, MachineError
from engine.files import remove_parts, whole, write_array
from engine.machine import refusal
from engine.running.lock import locked, worker_lock
from engine.running.parallel import run_tasks
from engine.running.workers import TRIES
from features.reading.scale import AS_STORED
from features.reading.survey import Acquisition
from models.first_level import lightgbm as lgb
from models.saved_fit import finished_fit
from simulate import simulate
from store.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
UNITS_FOUND = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])}
KEPT = "interrupted: what was finished is kept; the same command goes on from there."
AS_IT_IS = Acquisition(AS_STORED, 0.0)
MARK = "HPA_BOOST_FAULT"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Small simulated fields in two shards; the second takes longer, so that the first is finished before it."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, fields=4, test_fields=16, size=96, seed=1)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> dict[str, bytes]:
    run = tmp_path_factory.mktemp("undisturbed")
    assert extract(data, run) == 0
    return tables(run)


def arguments(data: Path, run: Path, workers: int) -> list[str]:
    given = ["extract", "--data", str(data), "--run", str(run), "--device", "cpu", "--quiet"]
    return [*given, "--workers", str(workers)]


def started(data: Path, run: Path, *options: str, workers: int = 2) -> subprocess.Popen:
    """The command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "cli.py", *arguments(data, run, workers), *options], cwd=ROOT,
        env=os.environ | {MARK: str(run)}, stderr=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str]:
    said = process.communicate(timeout=250)[1]
    return process.returncode, said


def extract(data: Path, run: Path) -> int:
    """The same command in this process; gives its exit code."""
    return cli.main(arguments(data, run, 1))


@contextlib.contextmanager
def no_file_larger_than(n_bytes: int):
    """What a full disk looks like to one file, for tests that may not mount one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def tables(run: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(run.rglob("*")) if path.is_file() and not path.match(".*lock"))
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in paths}


def marked(mark: Path) -> list[int]:
    """Processes that were started with this mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def wait_for(happened, seconds: float = 150.0):
    until = time.monotonic() + seconds
    while not (seen := happened()) and time.monotonic() < until:
        time.sleep(0.005)
    return seen


def shard_is_there(run: Path) -> bool:
    return any((run / "features/cells").glob("*.parquet"))


def test_ctrl_c_in_the_work_ends_with_130_and_a_sentence_and_the_next_run_goes_on(data, undisturbed, tmp_path):
    running = started(data, tmp_path)
    assert wait_for(lambda: shard_is_there(tmp_path))
    os.killpg(running.pid, signal.SIGINT)
    assert ended(running) == (130, f"{KEPT}\n")
    assert wait_for(lambda: not marked(tmp_path), 10), "processes are left behind"
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "features/fields").glob("*.parquet")}
    assert extract(data, tmp_path) == 0
    assert tables(tmp_path) == undisturbed
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in kept.items()), "what was finished was done again"


def test_sigterm_ends_a_command_as_ctrl_c_does(data, tmp_path):
    running = started(data, tmp_path, workers=1)
    assert wait_for(lambda: (tmp_path / "features/settings.json").is_file())
    running.terminate()
    assert ended(running) == (130, f"{KEPT}\n")


def test_orphans_of_a_killed_run_with_other_settings_do_not_write_into_the_next(data, undisturbed, tmp_path):
    running = started(data, tmp_path, "--no-er")
    assert wait_for(lambda: shard_is_there(tmp_path))
    running.kill()
    ended(running)
    assert extract(data, tmp_path) == 0
    assert tables(tmp_path) == undisturbed
    assert not marked(tmp_path)


def test_a_file_that_cannot_be_written_whole_ends_with_4_and_a_sentence(data, tmp_path, capsys):
    with no_file_larger_than(20_000):
        assert extract(data, tmp_path) == 4
    said = capsys.readouterr().err
    assert all(word in said for word in ("train-00000.parquet", "File too large", "MB free", "is kept"))
    assert not any(name.endswith(".part") for name in tables(tmp_path))


def test_what_a_killed_worker_did_is_done_again_once_each(tmp_path, caplog):
    done = list(run_tasks(die_once, ((tmp_path, i) for i in range(12)), 2))
    assert sorted(done) == list(range(12))
    assert (tmp_path / "3").read_text() == "done"
    assert sum(said.startswith("a worker process was killed") for said in caplog.messages) == 1


def test_work_that_kills_every_worker_ends_in_a_sentence():
    with pytest.raises(MachineError, match=f"killed {TRIES} times.*fewer --workers"):
        list(run_tasks(die, ((i,) for i in range(3)), 2))


def test_a_worker_that_is_replaced_as_its_memory_grew_is_no_reason_to_warn():
    code = (
        "from engine.running.parallel import run_tasks; from faulty_units import hoard; "
        "print(sorted(run_tasks(hoard, ((i,) for i in range(6)), 2)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=UNITS_FOUND, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == (f"{list(range(6))}\n", "")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fit_in_one_process_and_in_two_keeps_to_one_thread_and_so_to_the_same_bytes(workers):
    assert list(run_tasks(linear_algebra_threads, [()], workers)) == [1]


def test_workers_go_with_the_process_that_started_them(tmp_path):
    code = (
        "import sys; from pathlib import Path; from engine.running.parallel import run_tasks; "
        "from faulty_units import long_unit; list(run_tasks(long_unit, [(Path(sys.argv[1]),)] * 2, 2))"
    )
    running = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=UNITS_FOUND | {MARK: str(tmp_path)})
    assert wait_for((tmp_path / "begun").exists)
    running.kill()
    running.wait()
    assert wait_for(lambda: not marked(tmp_path), 10)


def test_the_next_run_waits_for_workers_of_a_killed_one(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.running.lock.PATIENCE", 0.2)
    with locked(tmp_path):
        pass
    with worker_lock(tmp_path), pytest.raises(InputError, match="worker processes"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_units_of_a_command_hold_its_run_folder(tmp_path):
    with locked(tmp_path):
        assert list(run_tasks(folder_is_held, [(tmp_path,)] * 2, 2)) == [True, True]


def test_parts_of_a_killed_run_are_removed_by_the_next(tmp_path):
    part = tmp_path / "features/cells/.train-00000.parquet.1a2b3c4d.part"
    part.parent.mkdir(parents=True)
    part.write_text("half")
    with locked(tmp_path):
        assert not part.exists()


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((tmp_path / "file").exists()))
    with whole(tmp_path / "file") as temporary:
        temporary.write_text("content")
    assert seen == [False]
    assert (tmp_path / "file").read_text() == "content"


def test_an_array_cut_short_by_a_full_disk_names_the_disk(tmp_path):
    with no_file_larger_than(1000), pytest.raises(OSError) as caught:
        write_array(tmp_path / "scores.npy", np.zeros(1000))
    assert caught.value.errno == errno.EFBIG
    assert str(tmp_path / "scores.npy") in refusal(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_booster_cut_short_by_a_full_disk_is_an_error_and_no_model(tmp_path):
    """LightGBM's own save_model leaves half a file and says nothing."""
    import lightgbm

    chance = np.random.default_rng(0).random((200, 3))
    data = lightgbm.Dataset(chance, chance[:, 0] > 0.5)
    model = lightgbm.train({"verbose": -1, "objective": "binary", "num_threads": 1}, data, 5)
    with no_file_larger_than(1000), pytest.raises(OSError), whole(tmp_path / "model.txt") as path:
        lgb.save(model, path, ("a", "b", "c"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ("No space left", "MB free", "Free space")),
        (errno.EDQUOT, ("quota", "Free space")),
        (errno.EROFS, ("Read-only", "--run DIR")),
        (errno.EACCES, ("Permission", "--run DIR")),
        (errno.ENOENT, ("not there", "removed")),
        (errno.EEXIST, ("a file; expected a folder", "Name another")),
        (errno.ENOTDIR, ("a file; expected a folder", "Name another")),
        (errno.EIO, ("Input/output error", "Check the disk")),
    ],
)
def test_each_refusal_of_the_system_is_a_sentence_with_path_and_remedy(tmp_path, number, words):
    path = tmp_path / "gone" / "train.parquet"
    said = refusal(OSError(number, os.strerror(number), str(path)))
    assert all(word.lower() in said.lower() for word in (str(path), *words)), said


def test_tables_of_two_settings_are_never_there_together(tmp_path):
    class Settings:
        def __init__(self, no_er: bool) -> None:
            self.no_er = no_er

        code = "today's"

        def content(self) -> dict:
            return {"no_er": self.no_er}

    folder = RunFolder(tmp_path)
    remember_settings(folder, Settings(False), AS_IT_IS)
    of_the_earlier = (folder.matrix("test"), *folder.fit.tables(["linear"]), folder.fit.fit_file)
    for path in of_the_earlier:
        path.parent.mkdir(exist_ok=True)
        path.write_text("of the earlier settings")
    remember_settings(folder, Settings(False), AS_IT_IS)
    assert all(path.exists() for path in of_the_earlier)
    remember_settings(folder, Settings(True), AS_IT_IS)
    assert not any(path.exists() for path in of_the_earlier)


def test_tables_of_an_earlier_fit_are_not_read_with_the_models_of_a_later_one(tmp_path, monkeypatch):
    """A fit removes fit.json before it touches anything, and writes it last."""
    folder = RunFolder(tmp_path)
    monkeypatch.setattr("models.saved_fit.load", lambda path: "fitted")
    for path in (*folder.fit.tables(["linear"]), folder.fit.fit_file):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert finished_fit(folder) == "fitted"
    removed = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, missing_ok: removed.append(path))
        folder.fit.clear()
    assert removed[0] == folder.fit.fit_file
    assert set(removed) >= {*folder.fit.tables(["linear"]), folder.fit.fit_file}
    folder.fit.fit_file.unlink()
    with pytest.raises(InputError, match="stopped before its end"):
        finished_fit(folder)


def test_removing_parts_leaves_finished_files(tmp_path):
    for name in (".a.parquet.00.part", "a.parquet", ".lock"):
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.parquet"]


DYING = """
import sys, time
from engine.running.interrupt import end, heed_signals

class Slow:
    def __del__(self):
        print("taken down", flush=True)
        time.sleep(1)

heed_signals()
slow = Slow()
del slow
time.sleep(3)
end(0)
"""


def test_a_signal_that_comes_while_an_object_is_taken_down_is_not_lost():
    running = subprocess.Popen(
        [sys.executable, "-c", DYING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout.readline() == "taken down\n"
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert said.strip() == KEPT


def test_what_a_worker_that_was_killed_had_begun_is_gone_at_the_end(tmp_path):
    with locked(tmp_path):
        (tmp_path / "cells").mkdir()
        (tmp_path / "cells" / ".train-00003.parquet.0fc2e6bb.part").touch()
        (tmp_path / "cells" / "train-00003.parquet").touch()
    assert [path.name for path in (tmp_path / "cells").iterdir()] == ["train-00003.parquet"]


STUBBORN = """
import os, time
from engine.running.interrupt import heed_signals
from engine.running.progress import progress

heed_signals()
with progress("fit", 10) as bar:
    while True:
        try:
            os.write(1, b"ready\\n")
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


def all_of_terminal(ours: int) -> str:
    """What was written to a terminal, which comes in pieces and ends with an error once nobody writes any more."""
    pieces = []
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 1 << 16):
            pieces.append(piece)
    os.close(ours)
    return b"".join(pieces).decode()


def test_a_second_ctrl_c_under_a_bar_leaves_the_terminal_with_a_cursor():
    ours, theirs = os.openpty()
    running = subprocess.Popen([sys.executable, "-c", STUBBORN], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    for _ in range(2):
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    running.stdout.close()
    said = all_of_terminal(ours)
    assert "\x1b[?25l" in said
    assert said.endswith(f"\r\n\x1b[?25h{KEPT}\r\n")
