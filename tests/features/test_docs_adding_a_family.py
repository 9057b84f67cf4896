"""The example of docs/adding_a_family.md keeps every promise of a family, on both devices, up to the report's words."""

import ast
import inspect
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import cuda_on_cpu
import numpy as np
import pyarrow.parquet as pq
import pytest
from test_families_contract import *  # noqa: F403 - every promise, asked of the family on the page
from test_kernels_mechanics import twin_differences

import features
import pipeline
import report.feature_descriptions
from features.core.cells import make_cells
from features.kernels.gpu import _cuda
from store.columns import columns_frame

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_family.md"
BLOCKS = re.findall(r"^```(?:python|cuda)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
MODULE, ORACLE, WORDS, CPU_KERNEL, SHRUNK, GPU_TWIN, CUDA = BLOCKS
ORACLES = [node.name for node in ast.parse(ORACLE).body if node.__class__ is ast.FunctionDef and "test_" in node.name]


def run(source, name, path):
    """A module from the text of a block, written to a file that tracebacks and Numba can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    module = ModuleType(name)
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), vars(module))
    return module


@pytest.fixture
def family(tmp_path):
    """The family on the page."""
    return run(MODULE, "features.lacunarity", tmp_path / "lacunarity.py")


@pytest.fixture
def with_kernels(tmp_path, monkeypatch):
    """The family on the page with the loop in kernels, which stand beside the others."""
    folders = tmp_path / "kernels/cpu", tmp_path / "kernels/gpu"
    for folder, source in zip(folders, (CPU_KERNEL, GPU_TWIN), strict=True):
        name = f"features.kernels.{folder.name}.lacunarity"
        monkeypatch.setitem(sys.modules, name, run(source, name, folder / "lacunarity.py"))
    (folders[1] / "lacunarity.cu").write_text(CUDA)
    shutil.copy(_cuda.FOLDER / "common.cuh", folders[1])
    first, _, _ = MODULE.partition("def _box_moments")
    return run(first + SHRUNK, "features.lacunarity", tmp_path / "with_kernels.py")


@pytest.mark.parametrize("name", ORACLES)
def test_the_oracle_on_the_page_agrees(name, family, request, tmp_path, monkeypatch, device, painted):
    monkeypatch.setitem(sys.modules, "features.lacunarity", family)
    monkeypatch.setattr(features, "lacunarity", family, raising=False)
    test = getattr(run(ORACLE, "oracle", tmp_path / "oracle.py"), name)
    test(**{argument: request.getfixturevalue(argument) for argument in inspect.signature(test).parameters})


def test_it_is_said_in_words(family, monkeypatch):
    given = {}
    exec(WORDS, given)
    for name in ("FAMILIES", "PHRASES", "PARAMETERS"):
        monkeypatch.setattr(
            report.feature_descriptions, name, {**getattr(report.feature_descriptions, name), **given[name]}
        )
    rows = columns_frame(family.columns()).to_dict("records")
    assert all(report.feature_descriptions.has_phrase(row) for row in rows)
    assert len({report.feature_descriptions.in_words(row) for row in rows}) == len(rows)
    said = report.feature_descriptions.in_words({**rows[-1], "pool": "top"})
    assert f'"{said}"' in " ".join(PAGE.read_text().split())


def test_its_columns_are_extracted(family, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "families", lambda real=features.families: {**real(), "lacunarity": family})
    data, out = tmp_path / "data", tmp_path / "run"
    job = pipeline.Job(out, data, "cpu", workers=1, quiet=True)
    pipeline.simulate(job, fields=2, test_fields=1, size=192)
    pipeline.extract(job)
    matrix = pq.read_table(out / "features" / "train.parquet")
    names = [f"{column.name}_{pool}" for column in family.columns() for pool in ("mean", "top")]
    values = matrix.select(names).to_pandas().to_numpy()
    assert values.shape == (2, 12)
    assert (values[np.isfinite(values)] >= 1).all()
    assert np.isfinite(values).mean() > 0.9


def test_the_kernel_gives_what_the_arrays_give(family, with_kernels, painted, device):
    assert_same(with_kernels.measure(painted), family.measure(painted))  # noqa: F405


def test_the_twins_have_the_same_face(with_kernels, tmp_path):
    assert twin_differences(tmp_path / "kernels/cpu", tmp_path / "kernels/gpu") == []


@pytest.mark.parametrize("which", ["family", "with_kernels"])
def test_an_emulated_gpu_gives_the_same(which, request, tmp_path, monkeypatch, painted, emulated):
    family = request.getfixturevalue(which)
    if which == "with_kernels":
        monkeypatch.setattr(cuda_on_cpu, "FOLDER", tmp_path / "kernels/gpu")
        shutil.copy(_cuda.FOLDER / "pixels.cu", tmp_path / "kernels/gpu")
    theirs = make_cells(painted.pixels, painted.cell_labels, painted.nucleus_labels, emulated)
    assert_same(emulated.get(family.measure(theirs)), family.measure(painted))  # noqa: F405
