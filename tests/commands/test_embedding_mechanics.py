"""embed and extract --embedding as runs: stopped and started again, groups known, columns where they belong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from suggested import parsed

import pipeline
from commands.embed import TrainingCells, cells_a_field, cut_out, gather, group_numbers
from engine.errors import InputError, UsageError
from features import columns
from features.embedding.cell_crops import CropSettings
from features.embedding.crop_shards import TrainingCropSettings
from features.extraction.batches import read_cells
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from report.feature_descriptions import has_phrase, in_words
from simulate import simulate
from store.run_folder import RunFolder

LENGTH = 128
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six small simulated fields."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, fields=4, test_fields=2, size=192, seed=1)
    return folder


def embed(data: Path, run: Path, steps: int, minutes: float | None = None, workers: int = 1):
    job = pipeline.Job(run, data, "cpu", workers, seed=5, quiet=True)
    return pipeline.embed(job, steps=steps, minutes=minutes)


def extract(data: Path, run: Path, network):
    return pipeline.extract(pipeline.Job(run, data, "cpu", workers=1, quiet=True), network=network)


def choose(embedding: Path | None, backbone: Path | None = None):
    return pipeline.choose_network(embedding, backbone, channels="green", side=64, mean="0", sd="1")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("trained"))
    embed(data, folder.root, steps=3)
    return folder


@pytest.fixture(scope="module")
def measured(data, trained, tmp_path_factory) -> Path:
    """A run extracted with the network."""
    run = tmp_path_factory.mktemp("measured")
    extract(data, run, choose(trained.network))
    return run


def test_more_steps_go_on_from_the_last_and_end_with_the_same_bytes(data, trained, tmp_path):
    folder = RunFolder(tmp_path)
    assert embed(data, tmp_path, steps=2).facts["steps"] == 2
    before = {path: path.stat().st_mtime_ns for path in folder.embedding.glob("*/*.parquet")}
    assert before
    assert embed(data, tmp_path, steps=3).facts["steps"] == 3
    assert folder.network.read_bytes() == trained.network.read_bytes()
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert json.loads(folder.config.read_text())["embed"]["steps"] == 3


def test_the_next_command_measures_the_cells_that_were_learnt_from(data, tmp_path):
    run, masks = tmp_path / "a run", tmp_path / "masks"
    masks.mkdir()
    for source in (find_fields(data / "train"), find_fields(data / "test")):
        for field in source.ids:
            found = read_cells(source, field, False, None)[1]
            cv2.imwrite(str(masks / f"{field}_cells.png"), found.cells.astype(np.uint16))
            cv2.imwrite(str(masks / f"{field}_nuclei.png"), found.nuclei.astype(np.uint16))
    ended = pipeline.embed(pipeline.Job(run, data, "cpu", 1, seed=5, quiet=True), no_er=True, masks=masks, steps=1)
    network = RunFolder(run).network
    named = {"data": str(data), "run": str(run), "no_er": True, "masks": str(masks), "embedding": str(network)}
    assert parsed(ended.next_command) == ("extract", named)


def test_a_shorter_training_begins_anew_and_says_so(data, trained, tmp_path, caplog):
    shutil.copytree(trained.root, tmp_path / "run")
    assert embed(data, tmp_path / "run", steps=2).facts["steps"] == 2
    assert "more than 2: training anew" in caplog.messages[-1]


def test_time_ends_training_early(data, tmp_path):
    assert 1 <= embed(data, tmp_path, steps=10**6, minutes=0.01).facts["steps"] < 1000


def test_extract_adds_the_networks_columns_and_changes_no_other(data, measured, tmp_path):
    extract(data, tmp_path, None)
    described = pq.read_table(measured / "features/columns.parquet").to_pandas()
    ours = described[described["family"] == "Embedding"]
    assert len(ours) == LENGTH
    assert ours["name"].iloc[0] == "Cells_Embedding_Pattern_Microtubules_Protein_Nucleus_ER_1"
    assert all(has_phrase(row) for row in ours.to_dict("records"))
    assert in_words(ours.iloc[6].to_dict()) == "pattern 7 that a network learnt to see in the cell"
    for split, n in (("train", 4), ("test", 2)):
        a, b = (pq.read_table(run / f"features/{split}.parquet").to_pandas() for run in (measured, tmp_path))
        pooled = [f"{name}_{pool}" for pool in ("mean", "top") for name in ours["name"]]
        assert a[pooled].to_numpy().shape == (n, 2 * LENGTH)
        assert np.isfinite(a[pooled].to_numpy()).all()
        assert np.ptp(a[pooled].to_numpy(), axis=0).max() > 0
        pd.testing.assert_frame_equal(a.drop(columns=pooled), b)
    kept = json.loads((measured / "features/settings.json").read_text())
    assert kept["network"].startswith("embedding ")


def test_vectors_in_the_table_are_those_of_the_cells(data, trained, measured):
    from features.embedding.inference import open_network
    from features.extraction.batches import read_one
    from features.extraction.settings import ExtractSettings
    from features.reading.fields import find_fields

    network = choose(trained.network)
    table = pq.read_table(measured / "features/cells/train-00000.parquet").to_pandas()
    stored = table[[name for name in table.columns if "_Embedding_" in name]].to_numpy()
    source = find_fields(data / "train")
    settings = ExtractSettings(False, None, "cpu", network)
    crops = [read_one(source, field, settings).crops for field in source.ids]
    expected = open_network(network, "cpu")(np.concatenate(crops))
    np.testing.assert_allclose(stored, expected, atol=1e-5)
    assert len(table.columns) == 6 + len(columns()) + LENGTH


def test_known_groups_and_near_identical_fields_are_one_group(data, tmp_path):
    hashes = pd.DataFrame({
        "Metadata_Id": ["a", "b", "c", "d"],
        **{f"Metadata_Hash{k}": np.array([1 << 60, 255, 255, 2**64 - 1], np.uint64) for k in range(4)},
    })  # fmt: skip
    few = TrainingCells(np.zeros((4, 4, 8, 8), np.uint8), np.arange(4), hashes, "")
    (tmp_path / "groups.csv").write_text("Id,Group\na,x\nd,x\n")
    numbers, said = group_numbers(few, tmp_path, None)
    assert (numbers[0] == numbers[3]) and (numbers[1] == numbers[2]) and (numbers[0] != numbers[1])
    assert "groups.csv" in said
    (tmp_path / "groups.csv").write_text("Id,Group\na,x\nb,x\nc,x\nd,x\n")
    with pytest.raises(InputError, match="4 fields of 1 group; expected two"):
        group_numbers(few, tmp_path, None)


def test_a_field_that_failed_leaves_the_hashes_of_others_whole(data, tmp_path):
    spoilt = shutil.copytree(data, tmp_path / "data")
    (spoilt / "train" / "sim-00001_green.png").write_bytes(b"no picture")
    shown = TrainingCropSettings(ExtractSettings(False, None, "cpu"), CropSettings(), 2)
    found = {}
    for name, folder in (("whole", data), ("spoilt", spoilt)):
        shards = cut_out({"train": find_fields(folder / "train")}, shown, tmp_path / name, workers=1, quiet=True)
        found[name] = gather(shards, shown).fields
    expected = found["whole"][found["whole"]["Metadata_Id"] != "sim-00001"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found["spoilt"], expected)


def test_cells_kept_of_a_field_fit_into_memory():
    assert cells_a_field(200) == 24
    assert cells_a_field(20_000) == 10
    assert cells_a_field(10**6) == 4


def test_torch_is_not_loaded_before_a_network_is_asked_for():
    code = "import sys, pipeline; print('torch' in sys.modules, 'onnxruntime' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]


def test_two_networks_or_none_that_fits_are_refused(trained, tmp_path):
    with pytest.raises(UsageError, match="--embedding and --backbone"):
        choose(trained.network, trained.network)
    with pytest.raises(InputError, match="does not exist"):
        choose(tmp_path / "nowhere.safetensors")
    assert choose(None) is None
