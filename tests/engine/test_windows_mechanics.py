"""What Windows has not: the command line answers, and work is locked and interrupted, without POSIX's own modules."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_POSIX = """
import os, signal, sys
sys.modules["fcntl"] = sys.modules["resource"] = None
for name in ("SIGHUP", "SIGKILL", "pthread_sigmask"):
    delattr(signal, name)
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "getuid"):
    delattr(os, name)
"""


def run_without_posix(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_help_answers_and_every_command_is_imported():
    ended = run_without_posix("import cli; cli.main(['--help']); import pipeline")
    assert ended.returncode == 0, ended.stderr
    assert "Usage" in ended.stdout


def test_a_command_heeds_signals():
    ended = run_without_posix(
        "import time; from engine.running.interrupt import heed_signals, uninterrupted, end\n"
        "heed_signals()\n"
        "try:\n"
        "    with uninterrupted():\n"
        "        signal.raise_signal(signal.SIGINT); print('held')\n"
        "except KeyboardInterrupt:\n"
        "    end(130)\n"
    )
    assert (ended.returncode, ended.stdout) == (130, "held\n"), ended.stderr


def test_an_image_is_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\r\n\x1a\n")
    ended = run_without_posix(
        "from pathlib import Path; from features.reading.image_file import read_file as read\n"
        f"print(read(Path({str(tmp_path / 'a.png')!r})))"
    )
    assert ended.stdout == "b'\\r\\n\\x1a\\n'\n", ended.stderr
