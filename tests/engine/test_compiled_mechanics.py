"""Where compiled code is kept: beside the sources if possible, else in a folder that only the user can write."""

import os
import tempfile
from pathlib import Path

import numba
import pytest
from numba.core import caching

import cli
from engine.errors import MachineError
from engine.running import compiled


@pytest.fixture
def unwritable(monkeypatch, tmp_path):
    """Neither the checkout nor the user's cache folder can be written; the temporary folder is a fresh one."""

    def refused(self):
        raise PermissionError(13, "Permission denied")

    for locator in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):
        monkeypatch.setattr(locator, "ensure_cache_path", refused)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def double(x):
    return 2 * x


def test_a_read_only_checkout_and_no_home_still_compile(unwritable, tmp_path):
    """numba: cannot cache function, no locator available."""
    assert compiled.njit()(double)(3) == 6
    folder = tmp_path / f"hpa-boost-numba-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.rglob("*.nbi"))
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder), "workers look elsewhere"


def test_a_folder_that_somebody_else_prepared_is_not_used(unwritable, tmp_path):
    """The cache holds code that is run."""
    folder = tmp_path / f"hpa-boost-numba-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert compiled.njit()(double)(3) == 6
    assert not list(folder.rglob("*.nbi"))
    assert list(tmp_path.rglob("*.nbi"))


def test_no_folder_at_all_is_a_sentence_that_says_what_to_set(unwritable, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match="Set NUMBA_CACHE_DIR"):
        compiled.njit()(double)


def test_nobody_compiles_around_it():
    root = Path(compiled.__file__).parents[2]
    sources = [path for room in cli.ROOMS for path in (root / room).rglob("*.py")]
    assert [path.name for path in sources if "numba.njit" in path.read_text()] == ["compiled.py"]
