"""Project files that say the same thing in two places: version, packages, what is installed beside the sources."""

import tomllib
from pathlib import Path

import cli
from engine.command_line import INSTALLED
from engine.versions import VERSION
from features.core.device import INSTALL

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BESIDE_SOURCES = {".py", ".pyc", ".nbi", ".nbc"}


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    newest = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert newest.startswith(f"## [{VERSION}]")


def test_every_room_is_installed():
    found = {pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert found | {"pipeline"} == set(cli.ROOMS)
    assert PROJECT["tool"]["coverage"]["run"]["source"] == [
        *PROJECT["tool"]["setuptools"]["py-modules"],
        *sorted(found, key=cli.ROOMS.index),
    ]
    without = [
        path for room in found for path in (ROOT / room).rglob("*.py") if not (path.parent / "__init__.py").is_file()
    ]
    assert without == [], "not a package: it is not installed"


def test_every_file_beside_the_sources_is_installed():
    """CUDA sources and the page's style are read at run time."""
    suffixes = {pattern.removeprefix("*") for pattern in PROJECT["tool"]["setuptools"]["package-data"]["*"]}
    rooms = (ROOT / room for room in cli.ROOMS)
    files = {path.suffix for room in rooms if room.is_dir() for path in room.rglob("*") if path.is_file()}
    assert files - BESIDE_SOURCES == suffixes


def test_the_installed_command_is_the_one_that_is_suggested():
    assert PROJECT["project"]["scripts"] == {INSTALLED: f"cli:{cli.run_program.__name__}"}


def test_packages_for_a_gpu_are_installed_in_one_order_everywhere():
    """The message, README and requirements-gpu.txt give the same commands, for the version that is pinned."""
    requirements = (ROOT / "requirements-gpu.txt").read_text()
    assert "\n".join(f"    {command}" for command in INSTALL) in (ROOT / "README.md").read_text()
    assert "\n".join(f"#     {command}" for command in INSTALL) in requirements
    assert f"\n{INSTALL[-1].split()[-1]} " in requirements
