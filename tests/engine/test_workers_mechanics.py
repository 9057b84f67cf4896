"""Worker processes and the settings of joblib that reach them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_limit_that_is_no_number_of_cores_is_a_sentence(tmp_path, workers):
    """LOKY_MAX_CPU_COUNT=abc: ValueError, and a traceback."""
    ended = subprocess.run(
        [sys.executable, "cli.py", "simulate", str(tmp_path), "--fields", "1", "--quiet", "--workers", workers],
        cwd=ROOT, env=os.environ | {"LOKY_MAX_CPU_COUNT": "abc"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: LOKY_MAX_CPU_COUNT is 'abc'")
    assert ended.stderr.count("\n") == 1


USING = """
import os
from multiprocessing import active_children
from engine.running.interrupt import end
from engine.running.parallel import run_tasks
from engine.running.workers import start_workers

def others():
    return {child.pid for child in active_children()}

start_workers(2, "tempfile", "mkdtemp")
before = others()
print(len(before), {pid for pid in run_tasks(os.getpid, [()] * 6, 2)} <= before, others() == before)
end(0)
"""


def run_source(source, tmp_path, **options):
    variables = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": ""}
    return subprocess.run([sys.executable, "-c", source], cwd=ROOT, env=variables, text=True, timeout=60, **options)


def test_workers_that_were_started_call_the_function_and_run_the_tasks(tmp_path):
    ended = run_source(USING, tmp_path, capture_output=True)
    assert (ended.returncode, ended.stdout) == (0, "2 True True\n"), ended.stderr
    assert len(list(tmp_path.glob("tmp*"))) == 2


ENDING = """
import atexit, sys, time
from engine.running.interrupt import end
from engine.running.parallel import run_tasks

class Slow:
    def __del__(self):
        print("taken down", flush=True)

slow = Slow()
atexit.register(print, "handled")
list(run_tasks(time.sleep, [(0,)] * 2, 2))
print("done")
end(3)
"""


def test_a_command_ends_after_its_exit_handlers_without_taking_objects_down(tmp_path):
    ended = run_source(ENDING, tmp_path, capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "done\nhandled\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_output_that_cannot_be_written_at_the_end_is_not_lost_without_a_word(tmp_path):
    with Path("/dev/full").open("w") as full:
        source = "from engine.running.interrupt import end; print('done'); end(3)"
        ended = run_source(source, tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 120
    assert "No space left on device" in ended.stderr
