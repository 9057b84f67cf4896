"""Exported files against the readers they are meant for: anndata for .h5ad, pandas for .csv and .parquet."""

import shlex
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from random_run import add_fit, make_run

import cli
import pipeline
from commands import export
from engine.errors import InputError, UsageError
from store import flat_table as tables
from store.classes import ORGANELLES
from store.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    rng = np.random.default_rng(8)
    run = make_run(tmp_path_factory.mktemp("run"), rng, {"train": 6, "test": 3}, shard_fields=2)
    add_fit(run, rng)
    return run


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few rows, so that several are written, across the borders of shards."""
    monkeypatch.setattr(tables, "PIECE_ROWS", 5)


def exported(folder: RunFolder, file: Path, level: str = "cells", split: str = "both") -> Path:
    pipeline.export(pipeline.Job(folder.root, quiet=True), file, level=level, split=split)
    return file


def cells_of(folder: RunFolder, *splits: str) -> pd.DataFrame:
    paths = [path for split in splits for path in sorted((folder.features / "cells").glob(f"{split}-*"))]
    return pd.concat([pq.read_table(path).to_pandas() for path in paths], ignore_index=True)


def assert_plain(file: Path):
    """Every dataset holds numbers, truth values or strings, and says in AnnData's way what it is."""
    with h5py.File(file) as content:
        assert dict(content.attrs) == {"encoding-type": "anndata", "encoding-version": "0.1.0"}

        def look(name, item):
            assert {"encoding-type", "encoding-version"} <= set(item.attrs), name
            if isinstance(item, h5py.Dataset):
                assert item.dtype.kind in "biuf" or h5py.check_string_dtype(item.dtype), (name, item.dtype)

        content.visititems(look)


@pytest.mark.filterwarnings("ignore:The 'mode.chained_assignment' option:DeprecationWarning")
def test_cells_in_anndata(folder, small_pieces, tmp_path):
    file = exported(folder, tmp_path / "new" / "cells.h5ad")
    assert_plain(file)
    data, cells = anndata.read_h5ad(file), cells_of(folder, "train", "test")
    columns = pq.read_table(folder.columns).to_pandas().query("compartment != 'Image'")
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X, cells[list(columns["name"])])
    assert np.isnan(data.X).any()
    assert data.obs_names.is_unique
    assert data.obs_names[0] == "train-000/1"
    for name in (name for name in cells if name.startswith("Metadata_")):
        assert data.obs[name].tolist() == cells[name].tolist(), name
    assert data.var_names.tolist() == columns["name"].tolist()
    for name in ("compartment", "family", "feature", "channels", "parameters", "covariate"):
        several = name in ("channels", "parameters")
        assert data.var[name].tolist() == [" ".join(v) if several else v for v in columns[name]], name
    assert data.uns["versions"]["numpy"] == np.__version__
    assert data.uns["config"] == folder.config.read_text()
    assert not data.layers
    assert not data.obsm
    assert anndata.read_h5ad(file, backed="r")[3:5].X.shape == (2, len(columns))
    assert [path.name for path in file.parent.iterdir()] == ["cells.h5ad"]


def test_fields_in_anndata_carry_labels_and_what_unseen_models_say(folder, tmp_path):
    file = exported(folder, tmp_path / "fields.h5ad", "fields")
    assert_plain(file)
    data = anndata.read_h5ad(file)
    train = pq.read_table(folder.matrix("train")).to_pandas()
    np.testing.assert_array_equal(data.X[:6], train[data.var_names])
    assert data.obs["Metadata_HashER"][:6].tolist() == train["Metadata_HashER"].tolist()
    assert set(data.var["pool"]) == {"mean", "top", ""}
    ids = train["Metadata_Id"]
    for key, path in (("out_of_fold", folder.fit.probabilities), ("labels", folder.fit.labels)):
        stored = pq.read_table(path).to_pandas().set_index("Metadata_Id").loc[ids, list(ORGANELLES)]
        assert data.obsm[key].columns.tolist() == list(ORGANELLES)
        np.testing.assert_array_equal(data.obsm[key].iloc[:6], stored.astype(np.float32))
        assert data.obsm[key].iloc[6:].isna().all(axis=None)


def test_classes_with_a_slash_keep_their_names_in_uns_and_are_told(tmp_path, rng):
    run = make_run(tmp_path / "run", rng, {"train": 4})
    names = ("ER/Golgi", "ER_Golgi", "nuc")
    for path in (run.fit.labels, run.fit.probabilities):
        path.parent.mkdir(exist_ok=True, parents=True)
        values = np.arange(12).reshape(4, 3) % 2 if path == run.fit.labels else rng.random((4, 3))
        table = pd.DataFrame(values.astype(bool if path == run.fit.labels else "float32"), columns=list(names))
        table.insert(0, "Metadata_Id", [f"train-{k:03d}" for k in range(4)])
        table.to_parquet(path)
    job, file = pipeline.Job(run.root, quiet=True), tmp_path / "fields.h5ad"
    said = pipeline.export(job, file, level="fields", split="train").lines
    assert_plain(file)
    data = anndata.read_h5ad(file)
    assert data.uns["classes"].tolist() == list(names)
    assert data.obsm["labels"].columns.tolist() == ["ER_Golgi_0", "ER_Golgi", "nuc"]
    assert len(said) == 2
    assert "ER/Golgi is ER_Golgi_0; " in said[1]
    for name, level in (("cells.h5ad", "cells"), ("fields.csv", "fields")):
        assert len(pipeline.export(job, tmp_path / name, level=level, split="train").lines) == 1
    assert "classes" not in anndata.read_h5ad(tmp_path / "cells.h5ad").uns


@pytest.mark.parametrize(("ending", "read"), [(".csv", pd.read_csv), (".csv.gz", pd.read_csv)])
def test_flat_csv(ending, read, folder, small_pieces, tmp_path):
    file = exported(folder, tmp_path / f"cells{ending}", split="train")
    cells = cells_of(folder, "train")
    found = read(file, dtype={name: "float32" for name in cells if cells[name].dtype == np.float32})
    pd.testing.assert_frame_equal(found, cells, check_dtype=False, check_exact=True)
    again = exported(folder, tmp_path / f"again{ending}", split="train")
    assert again.read_bytes() == file.read_bytes()


def test_flat_parquet_in_large_row_groups(folder, small_pieces, tmp_path):
    file = exported(folder, tmp_path / "cells.PARQUET", split="test")
    cells = cells_of(folder, "test")
    pd.testing.assert_frame_equal(pd.read_parquet(file), cells)
    sizes = [pq.read_metadata(file).row_group(k).num_rows for k in range(pq.read_metadata(file).num_row_groups)]
    assert sum(sizes) == len(cells)
    assert all(5 <= size < 10 for size in sizes[:-1])
    fields = exported(folder, tmp_path / "fields.parquet", "fields")
    assert pd.read_parquet(fields)["Metadata_Split"].tolist() == ["train"] * 6 + ["test"] * 3


def test_an_end_half_way_leaves_no_file(folder, small_pieces, tmp_path, monkeypatch):
    plain = export._nan_as_null
    done = []

    def full_disk(piece):
        done.append(1)
        if len(done) > 1:
            raise OSError(28, "No space left on device")
        return plain(piece)

    monkeypatch.setattr(export, "_nan_as_null", full_disk)
    with pytest.raises(InputError, match=r"cells\.csv cannot be written \(No space left on device\)"):
        exported(folder, tmp_path / "cells.csv")
    assert list(tmp_path.iterdir()) == []


def test_shards_of_other_settings_are_said(tmp_path):
    run = make_run(tmp_path / "run", np.random.default_rng(0), {"train": 2}, shard_fields=1)
    path = sorted((run.features / "cells").iterdir())[1]
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(whole.column_names[-1]), path)
    with pytest.raises(InputError, match=rf"00001\.parquet has no column {whole.column_names[-1]}"):
        exported(run, tmp_path / "cells.h5ad")
    assert not (tmp_path / "cells.h5ad").exists()


def test_without_anndata_a_sentence_says_what_to_install(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    with pytest.raises(UsageError, match="pip install 'anndata<"):
        exported(folder, tmp_path / "cells.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_exit_codes(folder, tmp_path, capsys):
    run = ["--run", str(folder.root)]
    assert cli.main(["export", str(tmp_path / "cells.xlsx"), *run]) == 2
    assert "cells.xlsx ends in none of .h5ad, .csv, .csv.gz, .parquet" in capsys.readouterr().err
    assert cli.main(["export", str(tmp_path / "cells.csv"), "--run", str(tmp_path / "nowhere")]) == 4
    assert "python cli.py extract" in capsys.readouterr().err
    assert cli.main(["export", str(tmp_path / "cells.csv"), *run, "--level", "organelles"]) == 2
    assert list(tmp_path.iterdir()) == []
    capsys.readouterr()
    assert (
        cli.main(["export", str(tmp_path / "f.csv"), *run, "--level", "fields", "--split", "test", "--quiet", "--json"])
        == 0
    )
    assert '"rows": 3' in capsys.readouterr().out


@pytest.mark.parametrize(
    "own", ["oof/labels.parquet", "features/more.csv", "predicted/cells.csv", "predictions.parquet"]
)
def test_the_files_of_a_run_are_not_written_over(own, folder, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    (tmp_path / "link").symlink_to(folder.root)
    monkeypatch.chdir(folder.root)
    for name in (folder.root / own, Path(own), tmp_path / "link" / own):
        with pytest.raises(UsageError, match=r"lies among the own files of the run in .*\. Name another file\."):
            exported(folder, name)
    assert before == {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}


def test_a_prediction_elsewhere_is_not_written_over_and_beside_it_there_is_room(folder, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert exported(folder, tmp_path / "cells.csv").is_file()
    (tmp_path / "predictions.csv").write_text("Id\n")
    with pytest.raises(UsageError, match=r"cells\.csv lies among"):
        exported(folder, tmp_path / "cells.csv")
    assert exported(folder, tmp_path / "mine.csv").is_file()


def test_a_run_owns_all_that_it_names():
    run = RunFolder(Path("/runs/one"))
    named = [value for name in vars(RunFolder) if isinstance(value := getattr(run, name), Path)]
    assert len(named) >= 12
    assert all(run.owns(path) for path in (*named, *run.fit.tables(["linear"]), *run.fit.parts, run.matrix("train")))
    assert not run.owns(Path("/runs/one/mine.csv"))
    assert not run.owns(Path("/runs/two/oof/labels.parquet"))


@pytest.mark.parametrize("ending", [".h5ad", ".csv", ".csv.gz", ".parquet"])
def test_the_next_command_reads_the_file(ending, folder, tmp_path):
    file = tmp_path / f'it\'s my "é" file{ending}'
    ended = pipeline.export(pipeline.Job(folder.root, quiet=True), file, level="fields", split="test")
    read = subprocess.run(shlex.split(ended.next_command), capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    assert "3" in read.stdout


def test_a_split_that_is_not_there_is_said(tmp_path):
    run = make_run(tmp_path / "run", np.random.default_rng(0), {"train": 1})
    with pytest.raises(InputError, match=r"test\.parquet is missing.*there is train"):
        exported(run, tmp_path / "cells.csv", split="test")
