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
