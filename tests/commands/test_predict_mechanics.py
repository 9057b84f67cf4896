"""`predict` as a user meets it, on a run whose training images are gone: tables, planted cells, masks, exit codes."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile
from planted import SPINDLE, spindles, write_planted
from skimage.measure import regionprops_table
from suggested import parsed

import cli
import pipeline
from commands import predict as predicting
from commands.new_fields import named_network, settings_like
from engine.errors import InputError
from engine.files import write_json
from features.extraction.batches import read_cells
from features.extraction.recorded import acquisition_record
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from features.reading.mask_files import with_masks
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.scale import AS_STORED
from features.reading.survey import Acquisition
from models.explanation.feature_groups import block_names
from models.explanation.local_explanations import Background, explain, percentile
from models.saved_fit import load
from models.trust.reference_data import fitted_columns, gather_reference
from report.prediction_summary import what_drives
from store.channels import ER
from store.classes import KAGGLE, ORGANELLES
from store.matrix import read_columns, read_matrix
from store.run_folder import RunFolder

FIELDS, NEW = 24, 6
TABLES = ("predictions", "cells", "why", "neighbours")


def predict(images, run, out, **changed):
    job = pipeline.Job(run, device="cpu", workers=changed.pop("workers", 1), quiet=True)
    return pipeline.predict(job, images, out=out, **{"coverage": 0.8, "neighbours": 2} | changed)


def tables(out):
    read = {name: pd.read_csv(out / f"{name}.csv", dtype={"Id": str}) for name in TABLES}
    return SimpleNamespace(**read)


def names_of(cell: str) -> tuple[str, ...]:
    """The organelles of a cell of predictions.csv."""
    return tuple(cell.split("; "))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A fitted run, new fields with known dividing cells, and what is predicted of them; training images are gone."""
    root = tmp_path_factory.mktemp("planted")
    data, run, out = root / "data", root / "run", root / "out"
    plans = write_planted(data, FIELDS, NEW)
    job = pipeline.Job(run, data, "cpu", workers=1, quiet=True)
    pipeline.extract(job)
    pipeline.fit(job, n_folds=3, rounds=8)
    pipeline.submit(job)
    kept = [f"{one.id}_*" for one in plans[:2]]
    (root / "seen").mkdir()
    for path in [path for pattern in kept for path in (data / "train").glob(pattern)]:
        shutil.copy(path, root / "seen")
    shutil.rmtree(data / "train")
    patched = pytest.MonkeyPatch()
    patched.setattr(predicting, "FIELDS_A_TASK", 4)
    ended = predict(data / "test", run, out, pictures=out / "png", label_images=out / "labels")
    yield SimpleNamespace(root=root, run=run, new=data / "test", out=out, plans=plans[FIELDS:], ended=ended,
                          **vars(tables(out)))  # fmt: skip
    patched.undo()


def test_calls_are_those_of_submit_and_features_those_of_extract(planted):
    submitted = pq.read_table(planted.run / "predictions.parquet").to_pandas()
    assert list(planted.predictions["Id"]) == list(submitted["Metadata_Id"])
    np.testing.assert_allclose(planted.predictions[list(ORGANELLES)], submitted[list(ORGANELLES)], atol=2e-6)
    called = ["; ".join(ORGANELLES[j] for j in row) for row in submitted["Metadata_Called"]]
    assert list(planted.predictions["Called"]) == called
    for kind in ("cells", "fields"):
        ours, theirs = (
            pd.concat(pq.read_table(path).to_pandas() for path in sorted((root / "features" / kind).glob(pattern)))
            for root, pattern in ((planted.out, "new-*"), (planted.run, "test-*"))
        )
        pd.testing.assert_frame_equal(ours.drop(columns="Metadata_Split"), theirs.drop(columns="Metadata_Split"))


def test_sets_hold_the_calls(planted):
    for row in planted.predictions.to_dict("records"):
        assert set(names_of(row["Called"])) <= set(names_of(row["Set"]))
    assert planted.ended.facts["coverage"] == 0.8
    assert planted.ended.facts["groups"] == FIELDS // 3


def test_a_new_group_is_promised_where_the_fit_knew_groups(planted):
    folder = RunFolder(planted.run)
    fitted, columns = load(folder.root), read_columns(folder)
    for folds, said in (("grouped", "fields of a new antibody, well or other group"), ("random", "Name groups")):
        known = replace(fitted, leaderboard=replace(fitted.leaderboard, folds=folds))
        assert said in gather_reference(folder, known, columns, 0.8, 2)[0].sets.promise


def test_the_cells_that_divide_score_highest_for_the_spindle(planted):
    organelle, hits = ORGANELLES[SPINDLE], []
    for one in planted.plans:
        if one.labels == (SPINDLE,):
            cells = planted.cells[planted.cells["Id"] == one.id]
            offsets = cells[["X", "Y"]].to_numpy()[:, None] - spindles(one)
            dividing = set(cells["Cell"].to_numpy()[np.hypot(*offsets.T).T.argmin(0)])
            first = cells.sort_values(organelle, ascending=False)["Cell"].head(len(dividing))
            hits += [number in dividing for number in first]
            assert len(cells) > 2 * len(dividing)
    assert len(hits) >= 3
    assert np.mean(hits) > 0.8


def test_contributions_add_up_to_the_log_odds(planted):
    folder = RunFolder(planted.run)
    fitted = load(folder.root)
    values = read_matrix(folder.matrix("test"), read_columns(folder)).named(fitted.columns)
    training = read_matrix(folder.matrix("train"), read_columns(folder)).named(fitted.columns)
    blocks, background = block_names(fitted_columns(fitted, read_columns(folder))), Background.of(fitted, training)
    probabilities = fitted.predict(values)[0].astype(np.float64)
    for j in np.flatnonzero(fitted.trainable):
        told = np.log(probabilities[:, j] / (1 - probabilities[:, j]))
        rest = told - explain(fitted, int(j), values, blocks, background).added.sum(1)
        assert np.ptp(told) > 0.3
        np.testing.assert_allclose(rest, rest[0], atol=2e-4)


def test_each_call_has_its_reasons_the_largest_first(planted):
    training = read_matrix(RunFolder(planted.run).matrix("train"), read_columns(RunFolder(planted.run)))
    reasons = dict(iter(planted.why.groupby(["Id", "Organelle"])))
    calls = {(row.Id, name) for row in planted.predictions.itertuples() for name in names_of(row.Called)}
    assert set(reasons) == calls
    for rows in reasons.values():
        assert (np.diff(rows["LogOdds"].abs()) <= 0).all()
        assert list(rows["Rank"]) == list(range(1, len(rows) + 1))
        assert ((rows["LogOdds"] > 0) == (rows["Direction"] == "for")).all()
        known = set(planted.cells.loc[planted.cells["Id"] == rows["Id"].iloc[0], "Cell"])
        of_field = rows["Feature"].str.startswith("Image_")
        assert rows.loc[of_field, "Cells"].isna().all()
        assert rows.loc[~of_field, "Cells"].notna().all()
        for cells in rows.loc[~of_field, "Cells"]:
            assert set(map(int, str(cells).split())) <= known
    row = planted.why.iloc[0]
    assert row["Percentile"] == pytest.approx(percentile(row["Value"], training.named([row["Feature"]])[:, 0]), abs=4)


def test_label_images_are_the_cells_of_the_table_and_can_be_measured_again(planted):
    for field, cells in planted.cells.groupby("Id"):
        path = planted.out / f"labels/{field}_cells.ome.tif"
        with tifffile.TiffFile(path) as file:
            assert file.is_ome
            assert file.series[0].axes == "YX"
            assert "PhysicalSize" not in file.ome_metadata
            assert f"{field} cells" in file.ome_metadata
        labels, nuclei = tifffile.imread(path), tifffile.imread(path.with_name(f"{field}_nuclei.ome.tif"))
        found = regionprops_table(labels.astype(int), properties=("label", "area", "centroid"))
        np.testing.assert_array_equal(found["label"], cells["Cell"])
        np.testing.assert_array_equal(found["area"], cells["Area"])
        np.testing.assert_allclose(found["centroid-1"], cells["X"], atol=0.06)
        np.testing.assert_allclose(found["centroid-0"], cells["Y"], atol=0.06)
        assert (labels[nuclei > 0] == nuclei[nuclei > 0]).all()
    source = find_fields(planted.new)
    masked = with_masks({"new": source}, planted.out / "labels")["new"]
    for field in source.ids:
        ours, read = (read_cells(one, field)[1] for one in (source, masked))
        np.testing.assert_array_equal(ours.cells, read.cells)
        np.testing.assert_array_equal(ours.nuclei, read.nuclei)


def test_any_number_of_workers_gives_the_same_bytes(planted):
    out = planted.root / "two"
    shutil.copytree(planted.out / "features", out / "features")  # extraction has a test of its own
    predict(planted.new, planted.run, out, workers=2)
    names = [*(f"{name}.csv" for name in TABLES), "failures.csv"]
    assert [name for name in names if (out / name).read_bytes() != (planted.out / name).read_bytes()] == []


def test_the_next_command_says_all_that_was_said_before(planted):
    out, labels = planted.root / "an out", planted.root / "its labels"
    asked = {
        "reading": ReadingOptions(no_er=True),
        "masks": planted.out / "labels",
        "label_images": labels,
        "coverage": 0.7,
        "neighbours": 0,
    }
    ended = predict(planted.new, planted.run, out, **asked)
    name, given = parsed(ended.next_command)
    assert name == "predict"
    assert given == {
        "images": str(planted.new), "run": str(planted.run), "out": str(out), "overlays": str(out / "overlays"),
        "label_images": str(labels), "coverage": 0.7, "neighbours": 0, "masks": str(planted.out / "labels"),
        "no_er": True, "device": "cpu",
    }  # fmt: skip


def test_after_pictures_it_suggests_what_can_be_explained(planted):
    name, given = parsed(planted.ended.next_command)
    trainable = load(planted.run).trainable
    assert name == "importances"
    assert trainable[ORGANELLES.index(given["organelle"])]
    assert pipeline.importances(pipeline.Job(planted.run, workers=1, quiet=True), given["organelle"], top=1).lines
    called = SimpleNamespace(predictions=planted.predictions.assign(Called=planted.predictions["Called"].map(names_of)))
    assert what_drives(called, SimpleNamespace(classes=KAGGLE, trainable=np.zeros(28, bool)), planted.run) == ""
    only = SimpleNamespace(classes=KAGGLE, trainable=np.arange(28) == SPINDLE)
    assert parsed(what_drives(called, only, planted.run))[1]["organelle"] == ORGANELLES[SPINDLE]


def test_where_all_fields_failed_nothing_is_promised_or_suggested(planted, tmp_path, capsys):
    for colour in ("red", "green", "blue", "yellow"):
        (tmp_path / f"bad_{colour}.png").write_bytes(b"no image")
    out = tmp_path / "out"
    arguments = ["predict", str(tmp_path), "--run", str(planted.run), "--out", str(out), "--device", "cpu", "--quiet"]
    assert cli.main([*arguments, "--workers", "1"]) == 4
    said = capsys.readouterr()
    assert said.err.startswith(f"1 of 1 field failed (see {out / 'failures.csv'}). The first one: field bad: ")
    assert said.out.startswith(f"0 fields, 0 cells in {out / 'predictions.csv'}")
    assert "sets" not in said.out
    assert "Next" not in predict(tmp_path, planted.run, out).next_command


def test_seen_fields_are_told_and_a_bad_one_stops_nothing(planted, capsys):
    images, out = planted.root / "seen", planted.root / "seen_out"
    (images / "bad_red.png").write_bytes(b"no image")
    (images / "overview.png").write_bytes(b"of no channel")
    arguments = ["predict", str(images), "--run", str(planted.run), "--out", str(out), "--neighbours", "0", "--json"]
    assert cli.main([*arguments, "--device", "cpu", "--workers", "1", "--coverage", "0.99"]) == 3
    said = capsys.readouterr().out.strip().splitlines()
    facts = json.loads(said[-1])
    assert (facts["fields"], facts["failed"], facts["promised"]) == (2, 1, False)
    assert pd.read_csv(out / "failures.csv")["Id"].tolist() == ["bad"]
    seen = tables(out)
    assert list(seen.neighbours["Neighbour"]) == list(seen.neighbours["Id"]) == ["f000", "f001"]
    assert seen.neighbours["NearIdentical"].all()
    assert seen.neighbours["Distance"].max() < 0.01
    assert (seen.predictions["Set"].str.count(";") == 27).all()
    text = "\n".join(said)
    assert "at least 99 groups" in text
    assert "NEAR-IDENTICAL" in text
    assert "1 x has no name of the form <Id>_red, _green, _blue or _yellow (overview.png)" in text
    assert "why" in text
    assert f"--overlays {out / 'overlays'}" in text


def test_pictures_of_other_fields_in_the_folders_are_told(planted, tmp_path):
    for name in ("png", "labels"):
        shutil.copytree(planted.out / name, tmp_path / name)
    folders = {"pictures": tmp_path / "png", "label_images": tmp_path / "labels"}
    ended = predict(planted.root / "seen", planted.run, tmp_path / "out", **folders)
    assert [line.partition(",")[0] for line in ended.lines if "not of this prediction" in line] == [
        f"{NEW} pictures in {tmp_path / 'png'} are not of this prediction",
        f"{2 * NEW} label images in {tmp_path / 'labels'} are not of this prediction",
    ]
    assert len(list((tmp_path / "png").iterdir())) == NEW + 2
    assert not any("not of this prediction" in line for line in planted.ended.lines)


def test_what_is_like_no_training_field_is_named(planted, rng, capsys):
    images, out = planted.root / "odd", planted.root / "odd_out"
    shutil.copytree(planted.new, images)
    sound = pd.read_csv(planted.out / "predictions.csv")["Id"].tolist()
    for colour in ("red", "green", "blue", "yellow"):
        plane = cv2.imread(str(images / f"{sound[0]}_{colour}.png"), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(images / f"black_{colour}.png"), plane * (colour != "green"))
        cv2.imwrite(str(images / f"noise_{colour}.png"), rng.integers(0, 256, plane.shape).astype(np.uint8))
        cv2.imwrite(str(images / f"inverted_{colour}.png"), 255 - plane)
    arguments = ["predict", str(images), "--run", str(planted.run), "--out", str(out), "--neighbours", "0", "--json"]
    assert cli.main([*arguments, "--device", "cpu", "--workers", "1"]) == 3
    said, failed = capsys.readouterr()
    predictions = pd.read_csv(out / "predictions.csv").set_index("Id")
    assert list(predictions.index[predictions["OutOfDistribution"]]) == ["inverted", "noise"]
    assert predictions.loc[sound, "OutOfRange"].max() < 0.2 < predictions.loc["noise", "OutOfRange"]
    assert f"2 of {len(sound) + 2} fields (inverted, noise)" in said
    assert json.loads(said.strip().splitlines()[-1])["out_of_distribution"] == 2
    assert f"1 of {len(sound) + 3} fields failed (see {out / 'failures.csv'}). The first one: field black: " in failed


def test_before_its_time_it_says_what_to_run_first(tmp_path, capsys):
    assert cli.main(["predict", str(tmp_path), "--run", str(tmp_path / "run")]) == 4
    assert "python cli.py fit" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def settings_file(folder, **changed):
    known = ExtractSettings(None, "cpu").content() | {
        "acquisition": acquisition_record(Acquisition(AS_STORED, 0.0)),
        "masks": None,
        "device": "cpu",
        "network": None,
        "code": ExtractSettings(None, "cpu").code,
    }
    write_json(folder.features / "settings.json", known | changed)


def like(folder, **changed):
    given = {"reading": FOUR_COLOURS, "masks": None, "network": None, "device": "cpu"} | changed
    return settings_like(folder, **given)[0]


HPA_KINDS = ExtractSettings(None, "cpu", None, ReadingOptions("hpa", stains=FOUR_COLOURS.chosen_stains.text()))


def test_new_fields_get_the_settings_of_the_run_and_differences_are_logged(tmp_path, caplog):
    folder = RunFolder(tmp_path)
    with pytest.raises(InputError, match=r"Run python cli.py extract --run .* first"):
        like(folder)
    settings_file(folder)
    assert like(folder) == HPA_KINDS
    assert caplog.messages == []
    no_er = ReadingOptions(no_er=True)
    assert like(folder, reading=no_er).absent == (ER,)
    assert "trained with ER, the new fields are measured without" in caplog.messages[-1]
    settings_file(folder, stains=no_er.chosen_stains.text(), code="another")
    assert like(folder).absent == (ER,)
    assert "another version" in caplog.messages[-1]
    said = len(caplog.messages)
    settings_file(folder, device="cuda", code=ExtractSettings(None, "cuda").code)
    assert like(folder) == HPA_KINDS
    assert len(caplog.messages) == said, "another device is no other version"
    settings_file(folder, all_columns=True)
    assert like(folder) == replace(HPA_KINDS, all_columns=True)
    assert len(caplog.messages) == said
    settings_file(folder, masks=str(tmp_path))
    with pytest.raises(InputError, match=r"masks made elsewhere.*--masks"):
        like(folder)
    assert like(folder, masks=tmp_path).masks == str(tmp_path)


def test_planes_alone_leave_layout_and_stains_those_of_the_run(tmp_path):
    folder = RunFolder(tmp_path)
    run = ReadingOptions("phenix", stains="nucleus=DAPI,protein=GFP", z="max", t="1")
    settings_file(folder, layout=run.layout, stains=run.stains, z=run.z, t=run.t)
    assert like(folder).reading == run
    assert like(folder, reading=ReadingOptions(z="2")).reading == replace(run, z="2")
    assert like(folder, reading=ReadingOptions(t="middle", pixel_size=0.2)).reading == replace(
        run, t="middle", pixel_size=0.2
    )
    settings_file(folder, images="load.csv")
    with pytest.raises(InputError, match="listed in a csv"):
        like(folder, reading=ReadingOptions(z="2"))


def test_the_sizes_that_the_user_corrected_are_kept_with_the_run(tmp_path):
    folder, known = RunFolder(tmp_path), Acquisition(AS_STORED, 0.0, overruled=(0.2, 0.4))
    given = {"reading": FOUR_COLOURS, "masks": None, "network": None, "device": "cpu"}
    settings_file(folder, acquisition=acquisition_record(known))
    assert settings_like(folder, **given)[1] == known
    for bad in ([0], [-0.4], ["0.4"], [None], 0.4):
        settings_file(folder, acquisition=acquisition_record(known) | {"overruled": bad})
        with pytest.raises(InputError, match="does not hold the settings of an extraction"):
            like(folder)


def test_a_network_must_be_the_one_of_the_run(tmp_path):
    from features.embedding.network_digest import digest_network

    folder, file = RunFolder(tmp_path), tmp_path / "network.onnx"
    file.write_bytes(b"weights")
    record = {
        "path": "elsewhere/network.onnx", "digest": digest_network(file, "onnx"), "kind": "onnx", "length": 3,
        "maps": [],
        "crop": {"side": 64, "diameters": 3.0, "exponent": 0.5}, "channels": ["red"], "mean": [0.0], "sd": [1.0],
    }  # fmt: skip
    settings_file(folder, network=f"onnx {record['digest']}")
    with pytest.raises(InputError, match="does not describe"):
        like(folder)
    write_json(folder.config, {"extract": {"network": record}})
    assert like(folder, network=file).network.path == str(file)
    assert named_network(like(folder, network=file).network, file) == {"backbone": file}
    assert named_network(None, None) == {}
    other = tmp_path / "other"
    other.write_bytes(b"other weights")
    with pytest.raises(InputError, match=r"other is not it.*--backbone FILE"):
        like(folder, network=other)
    backbone = record | {"kind": "torchscript"}
    write_json(folder.config, {"extract": {"network": backbone}})
    settings_file(folder, network=f"torchscript {record['digest']}")
    with pytest.raises(InputError, match="--backbone FILE"):
        like(folder)  # TorchScript runs code: never opened unnamed
    assert like(folder, network=file).network.kind == "torchscript"
    assert named_network(like(folder, network=file).network, file) == {"backbone": file}
    settings_file(folder)
    with pytest.raises(InputError, match="extracted with no network"):
        like(folder, network=file)
